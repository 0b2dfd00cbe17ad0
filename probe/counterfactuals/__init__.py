"""Methods that search for nearby inputs with another prediction."""

from probe.counterfactuals.reference import NearestReference
from probe.counterfactuals.spheres import GrowingSpheres

__all__ = ["GrowingSpheres", "NearestReference"]
