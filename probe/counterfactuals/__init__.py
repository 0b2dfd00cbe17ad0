"""Methods that search inputs near a given one that get another answer."""

from probe.counterfactuals.reference import NearestReference

__all__ = ["NearestReference"]
