"""Methods that search for nearby inputs with another prediction."""

from probe.counterfactuals.reference import NearestReference

__all__ = ["NearestReference"]
