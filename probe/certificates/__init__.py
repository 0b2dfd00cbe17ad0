"""Methods that prove within which radius of an input a decision does not change."""

from probe.certificates.smoothing import RandomizedSmoothing

__all__ = ["RandomizedSmoothing"]
