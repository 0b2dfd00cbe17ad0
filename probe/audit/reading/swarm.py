"""The attributions of all explained rows together, feature by feature."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.statistics import ranks

SWARM_NOTE = (
    "A dot is a row. Right of the line a feature supports the answer, left of it it opposes it, unless the method says "
    "otherwise. Blue dots are rows where the feature is low, orange ones where it is high, grey ones where it has no "
    "height, as a category. Each method has a scale of its own."
)


class Swarm(NamedTuple):
    """The values of one explainer at all explained rows."""

    values: NDArray[Any]  # (rows, features)
    levels: NDArray[Any]  # (rows, features): how high the row's own number is among the rows, 0 to 1; NaN where unknown

    @property
    def sizes(self) -> NDArray[Any]:
        """The mean absolute value of each feature."""
        sizes: NDArray[Any] = np.abs(self.values).mean(0)
        return sizes


def swarm(bundle: Bundle, step: StepRecord) -> Swarm:
    """The attributions of an explainer, and how high the features of each row are.

    A feature of several numbers, such as a category, has no height, nor has one whose rows were not kept.
    """
    values = np.asarray(bundle.arrays(step.name)["by_feature"], dtype=float)
    return Swarm(values, bundle.derived(("levels of features",), lambda: _levels(bundle, values.shape)))


def _levels(bundle: Bundle, shape: tuple[int, ...]) -> NDArray[Any]:
    stored, levels = bundle.arrays("instances"), np.full(shape, np.nan)
    if "inputs" not in stored or len(stored["inputs"]) != shape[0]:
        return levels
    numbers = np.asarray(stored["inputs"], dtype=float).reshape(shape[0], -1)
    owner = stored["features"].ravel() if "features" in stored else np.arange(numbers.shape[1])
    if len(owner) != numbers.shape[1]:  # each row has features of its own
        return levels
    for feature in range(shape[1]):
        at = np.flatnonzero(owner == feature)
        if len(at) == 1 and len(np.unique(numbers[:, at[0]])) > 1:
            place = ranks(numbers[:, at[0]])
            levels[:, feature] = (place - place.min()) / np.ptp(place)
    return levels
