"""Methods that search for nearby inputs with another prediction."""

from probe.counterfactuals.descent import GradientCounterfactual
from probe.counterfactuals.prototypes import PrototypeCounterfactual
from probe.counterfactuals.reference import NearestReference
from probe.counterfactuals.spheres import GrowingSpheres

__all__ = ["GradientCounterfactual", "GrowingSpheres", "NearestReference", "PrototypeCounterfactual"]
