"""Methods that prove a radius within which a prediction does not change."""

from probe.certificates.crown import Crown
from probe.certificates.intervals import IntervalBounds
from probe.certificates.patches import PatchBounds
from probe.certificates.smoothing import RandomizedSmoothing

__all__ = ["Crown", "IntervalBounds", "PatchBounds", "RandomizedSmoothing"]
