"""The attributions of the explained rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.formatting import share
from probe.registry import declared


def captioned(step: StepRecord) -> str:
    """The meaning of an explainer's values, as it declares it."""
    return step.caption or "Red is above 0, blue below; their meaning was not recorded."


def between(bundle: Bundle, step: StepRecord, row: int) -> tuple[float, float] | None:
    """The outputs that the values of an explained row lead from and to; None where a method promises no sum.

    The first is the output of the row less the sum of the values, so that what they miss of their promise is in it.
    """
    found = declared("explainer").get(str(step.method.get("method")))
    if found is None or not found.said.get("completeness"):
        return None
    stored, answers = bundle.arrays(step.name), bundle.arrays("predictions")
    at, task = np.flatnonzero(stored["rows"] == row), bundle.manifest.task
    logits = answers["logits"][row : row + 1].astype(np.float64)
    output = str(step.method.get("output", "logit"))
    reached = float(task.pick(task.explained(logits, output), stored["targets"][at])[0])
    return reached - float(stored["by_feature"][at[0]].astype(np.float64).sum()), reached


def fitted(bundle: Bundle, step: StepRecord, row: int) -> str:
    """How well a method's local fit tells the output around an explained row; empty where it has none, or none knows.

    That is R squared at coalitions which the fit has not seen, or over all of them where all were asked.
    """
    stored = bundle.arrays(step.name)
    if "fidelity" not in stored:
        return ""
    found = float(stored["fidelity"][stored["rows"] == row][0])
    if np.isnan(found):
        return ""
    if found <= 0:
        return (
            "Its fit tells no more of the output around this row than the mean does: no sum of its values describes it."
        )
    return f"Its fit tells {share(found)} of how the output varies around this row."


def features_of(bundle: Bundle, row: int) -> NDArray[Any] | None:
    """The feature of each coordinate of an example; None if each is its own feature, or it was not kept."""
    stored = bundle.arrays("instances") if bundle.has("arrays/instances.npz") else {}
    features = stored.get("features")
    if features is None or features.ndim <= len(bundle.manifest.data.shape):
        return features
    at = np.flatnonzero(stored["rows"] == row)
    own: NDArray[Any] | None = features[at[0]] if len(at) else None
    return own
