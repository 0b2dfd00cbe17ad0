"""What methods return: tensors, and the method that made them. One module per result."""

from probe.results.attribution import Attribution
from probe.results.base import AnyResult
from probe.results.counterfactuals import Counterfactuals
from probe.results.perturbation import Perturbation
from probe.results.prediction import Prediction
from probe.results.scores import Scores

Result = Prediction | Attribution | Perturbation

__all__ = ["AnyResult", "Attribution", "Counterfactuals", "Perturbation", "Prediction", "Result", "Scores"]
