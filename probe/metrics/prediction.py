"""Accuracy, calibration and robust accuracy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.contracts import Metric, Proportion
from probe.contracts.metric import Follows
from probe.contracts.prediction import sureness
from probe.errors import DataError, Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.results import Perturbation, Prediction
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class Accuracy(Proportion[Prediction]):
    """Share of examples classified correctly, in [0, 1]; higher is better.

    For several labels or positions per example, the share is over all of them. For a regression, a prediction within
    the tolerance is correct.

    >>> import torch
    >>> from probe import Dataset, Model, predict
    >>> from probe.metrics import Accuracy
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> data = Dataset(torch.tensor([[0.9], [0.2], [0.6], [0.7]]), torch.tensor([0, 1, 0, 1]))
    >>> scores = Accuracy()(model, predict(model, data))
    >>> scores.value, [round(end, 2) for end in scores.interval()]
    (0.75, [0.3, 0.95])
    """

    aspect: ClassVar[Aspect] = "performance"
    follows: ClassVar[Follows] = "wholly"
    threshold: ClassVar[float | None] = 0.8
    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def suits(self, result: Prediction) -> bool:
        return result.task.judges

    def notes(self, model: Model) -> Mapping[str, str]:
        decided = model.task.in_words()
        return {"": f"decided: {decided}"} if decided else {}

    def measure(self, model: Model, result: Prediction) -> Evidence:
        check_asked(model, result)
        return result.correct


@dataclass(frozen=True, kw_only=True)
class ExactMatch(Proportion[Prediction]):
    """Share of examples with every label, or the class at every position, correct, in [0, 1]; higher is better.

    >>> import torch
    >>> from probe import Dataset, Model, MultiLabel, predict
    >>> from probe.metrics import ExactMatch
    >>> model = Model(forward=lambda x: 4 * x - 2, task=MultiLabel(("warm", "wet")))
    >>> data = Dataset(torch.tensor([[0.9, 0.8], [0.1, 0.7]]), torch.tensor([[1, 1], [0, 0]]))
    >>> ExactMatch()(model, predict(model, data)).value
    0.5
    """

    aspect: ClassVar[Aspect] = "performance"
    follows: ClassVar[Follows] = "wholly"
    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def suits(self, result: Prediction) -> bool:
        return bool(result.task.several(result.logits))

    def measure(self, model: Model, result: Prediction) -> Evidence:
        check_asked(model, result)
        if not self.suits(result):
            raise Unsupported(
                f"an exact match needs several answers, and a row of {type(result.task).__name__} has one; "
                "measure Accuracy"
            )
        return (~result.task.wrong(result.logits, result.labels)).to(result.logits.dtype)


@dataclass(frozen=True, kw_only=True)
class CalibrationError(Metric[Prediction]):
    """Mean gap between confidence and accuracy over bins (ECE, arXiv:1706.04599), in [0, 1]; lower is better.

    Confidence is the probability of the most likely class, and accuracy is how often that class is the label, whatever
    the decision threshold: calibration is a property of probabilities, not of decisions.

    >>> import torch
    >>> from probe import Dataset, Model, predict
    >>> from probe.metrics import CalibrationError
    >>> model = Model(forward=lambda x: torch.cat([x, -x], 1), classes=("yes", "no"))
    >>> data = Dataset(torch.full((4, 1), 1.0), torch.tensor([0, 0, 0, 1]))  # sure at 88 %, right in 75 %
    >>> round(CalibrationError()(model, predict(model, data)).value, 3)
    0.131
    """

    aspect: ClassVar[Aspect] = "performance"
    follows: ClassVar[Follows] = "wholly"
    unit: ClassVar[Unit] = "points"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "calibration error"
    threshold: ClassVar[float | None] = 0.05
    columns: ClassVar[tuple[str, ...]] = ("confidence", "correct")

    bins: int = param(15, "number of equally wide confidence bins", low=1, high=10**4)

    def suits(self, result: Prediction) -> bool:
        return result.task.one_class

    def measure(self, model: Model, result: Prediction) -> Evidence:
        check_asked(model, result)
        if not self.suits(result):
            raise Unsupported(
                f"a calibration error needs classes, and the task is {type(result.task).__name__}; measure one label "
                "at a time, as in prediction.only(0), or leave it out"
            )
        return torch.stack(sureness(result.task, result.logits, result.labels), dim=1)

    def notes(self, model: Model) -> Mapping[str, str]:
        return {
            "": "binning makes the estimate larger than the true error, the more so the fewer the rows; "
            "the interval allows for it"
        }


@dataclass(frozen=True, kw_only=True)
class AreaUnderROC(Metric[Prediction]):
    """The area under the ROC curve of two classes, in [0, 1]; higher is better.

    It is the probability that a row of the second class ranks above a row of the first. Chance is 1/2; ties count half.

    Raises:
        Unsupported: if there are more than two classes.

    >>> import torch
    >>> from probe import Dataset, Model, predict
    >>> from probe.metrics import AreaUnderROC
    >>> model = Model(forward=lambda x: torch.cat([-x, x], 1), classes=("no", "yes"))
    >>> data = Dataset(torch.tensor([[0.1], [0.4], [0.3], [0.8]]), torch.tensor([0, 0, 1, 1]))
    >>> AreaUnderROC()(model, predict(model, data)).value
    0.75
    """

    aspect: ClassVar[Aspect] = "performance"
    follows: ClassVar[Follows] = "wholly"
    reduction: ClassVar[str] = "area under ROC"
    title: ClassVar[str] = "area under ROC"
    columns: ClassVar[tuple[str, ...]] = ("log_odds", "positive")

    def suits(self, result: Prediction) -> bool:
        return result.task.one_class and result.logits.shape[1] == 2

    def measure(self, model: Model, result: Prediction) -> Evidence:
        check_asked(model, result)
        if not self.suits(result):
            there = f"{result.logits.shape[-1]} {result.task.units[1]}"
            raise Unsupported(f"an area under ROC needs two classes, and there are {there}; leave it out")
        first, second = result.logits.cpu().double().unbind(1)  # probabilities of confident predictions would tie
        return torch.stack([second - first, (result.labels == 1).cpu().double()], dim=1)


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(Proportion[Perturbation]):
    """Share of attacked examples that the model classifies correctly, in [0, 1]; higher is better.

    An example with several answers is correct if all of them are.

    A model other than the attacked one is evaluated on the attacked inputs, which measures transfer. Examples that the
    attacked model misclassified from the start were not attacked, and count as they are. The value is an upper bound: a
    stronger attack can only lower it. For goals that are not about right and wrong answers there is Withstood.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import FGSM
    >>> from probe.metrics import RobustAccuracy
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> attacked = FGSM(eps=0.1)(model, torch.tensor([[0.9], [0.55], [0.2]]), torch.tensor([0, 0, 1]))
    >>> round(RobustAccuracy()(model, attacked).value, 3)
    0.667
    """

    aspect: ClassVar[Aspect] = "robustness"
    follows: ClassVar[Follows] = "wholly"
    threshold: ClassVar[float | None] = 0.5
    columns: ClassVar[tuple[str, ...]] = ("correct",)

    def suits(self, result: Perturbation) -> bool:
        return not result.goal.counted_alone(result.clean.task)

    def measure(self, model: Model, result: Perturbation) -> Evidence:
        answers = result.attacked
        if answers.known and answers.is_of(model):
            return (~answers.task.wrong(answers.logits, answers.labels)).to(answers.logits.dtype)
        inputs = model.check(result.perturbed)
        labels = model.check_labels(result.clean.labels, inputs)
        return (~model.task.wrong(model.logits(inputs), labels)).to(torch.get_default_dtype())


def check_asked(model: Model, result: Prediction) -> None:
    """Raise DataError if the predictions are another model's: a Prediction has no inputs to evaluate."""
    if not result.is_of(model):
        raise DataError(
            f"these are the answers of a model other than {model.name}, and a Prediction holds no inputs to ask it; "
            "measure probe.predict(model, data), or Prediction(model.logits(inputs), labels, task=model.task)"
        )
