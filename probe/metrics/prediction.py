"""Is the model right, does it know when it is, and does it stay right under attack?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Metric, Proportion
from probe.errors import DataError
from probe.method import param
from probe.model import Model
from probe.reductions import Reduction, calibration
from probe.results import Perturbation, Prediction
from probe.shapes import Evidence
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class Accuracy(Proportion[Prediction]):
    """Share of examples classified correctly, in [0, 1]; higher is better."""

    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def measure(self, model: Model, result: Prediction) -> Evidence:
        _check_asked(model, result)
        return result.correct


@dataclass(frozen=True, kw_only=True)
class CalibrationError(Metric[Prediction]):
    """Mean gap between confidence and accuracy over bins (ECE, arXiv:1706.04599), in [0, 1]; lower is better.

    Confidence is the probability of the most likely class and accuracy how often that is the label, whatever threshold
    the decision has: probabilities are calibrated, decisions are not.
    """

    columns: ClassVar[tuple[str, ...]] = ("confidence", "correct")

    bins: int = param(15, "number of equally wide confidence bins", low=1, high=10**4)

    def measure(self, model: Model, result: Prediction) -> Evidence:
        _check_asked(model, result)
        probabilities = result.task.probabilities(wide(result.logits))
        likeliest = result.task.likeliest(probabilities)
        confidence = result.task.pick(probabilities, likeliest)
        return torch.stack([confidence, (likeliest == result.labels).to(confidence.dtype)], dim=1)

    def reduction(self) -> Reduction:
        return calibration(self.bins)


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(Proportion[Perturbation]):
    """Share of attacked examples that a model gets right, in [0, 1]; higher is better.

    The model is asked anew, so that another one than was attacked shows how far the attack transfers. An example that
    the attacked model got wrong from the start is judged as it is. An upper bound of the truth: a stronger attack can
    only lower it.
    """

    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def measure(self, model: Model, result: Perturbation) -> Evidence:
        inputs = model.check(result.perturbed)
        labels = model.check_labels(result.clean.labels, inputs)
        return (~model.task.wrong(model.logits(inputs), labels)).to(torch.get_default_dtype())


def _check_asked(model: Model, result: Prediction) -> None:
    """Raise DataError where the answers are another model's: without inputs this one cannot be asked."""
    if not result.is_of(model):
        raise DataError(
            f"these are the answers of another model than {model.name}, and a Prediction holds no inputs to ask it; "
            "measure probe.predict(model, data), or Prediction(model.logits(inputs), labels)"
        )
