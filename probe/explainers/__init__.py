"""Methods that say how much each feature of an input speaks for a class."""

from probe.explainers.gradient import InputXGradient, IntegratedGradients, Saliency
from probe.explainers.shapley import KernelShap
from probe.explainers.surrogate import Lime

__all__ = ["InputXGradient", "IntegratedGradients", "KernelShap", "Lime", "Saliency"]
