"""The attributions of the explained rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord


def captioned(step: StepRecord) -> str:
    """The meaning of an explainer's values, as it declares it."""
    return step.caption or "Red is above 0, blue below; their meaning was not recorded."


def features_of(bundle: Bundle, row: int) -> NDArray[Any] | None:
    """The feature of each coordinate of an example; None if each is its own feature, or it was not kept."""
    stored = bundle.arrays("instances") if bundle.has("arrays/instances.npz") else {}
    features = stored.get("features")
    if features is None or features.ndim <= len(bundle.manifest.data.shape):
        return features
    at = np.flatnonzero(stored["rows"] == row)
    own: NDArray[Any] | None = features[at[0]] if len(at) else None
    return own
