"""Methods that prove a radius within which a prediction does not change."""

from probe.certificates.smoothing import RandomizedSmoothing

__all__ = ["RandomizedSmoothing"]
