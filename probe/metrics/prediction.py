"""Is the model right, does it know when it is, and does it stay right under attack?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Metric, Proportion
from probe.method import param
from probe.model import Model
from probe.results import Perturbation, Prediction
from probe.shapes import Evidence
from probe.statistics import Floats, calibration_error, calibration_interval


@dataclass(frozen=True, kw_only=True)
class Accuracy(Proportion[Prediction]):
    """Share of examples classified correctly, in [0, 1]; higher is better."""

    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def measure(self, model: Model, result: Prediction) -> Evidence:
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
        confidence, likeliest = result.probabilities.max(-1)
        return torch.stack([confidence, (likeliest == result.labels).to(confidence.dtype)], dim=1)

    def reduce(self, evidence: Floats) -> float:
        return calibration_error(evidence[:, 0], evidence[:, 1], self.bins)

    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
        return calibration_interval(evidence, self.bins, level=level, draws=draws, seed=seed)


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(Proportion[Perturbation]):
    """Share of examples right before an attack and after it, in [0, 1]; higher is better.

    An upper bound of the truth: a stronger attack can only lower it.
    """

    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def measure(self, model: Model, result: Perturbation) -> Evidence:
        return result.clean.correct * result.attacked.correct
