"""Metrics of regressions."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.contracts import Metric
from probe.contracts.metric import Follows
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.metrics.prediction import check_asked
from probe.model import Model
from probe.results import Prediction
from probe.shapes import Evidence
from probe.task import Regression
from probe.tensors import wide


class _OfNumbers(Metric[Prediction]):
    """A metric of a regression's predictions."""

    aspect: ClassVar[Aspect] = "performance"
    follows: ClassVar[Follows] = "wholly"

    def suits(self, result: Prediction) -> bool:
        return isinstance(result.task, Regression)

    def _task(self, model: Model, result: Prediction) -> Regression:
        check_asked(model, result)
        if not isinstance(result.task, Regression):
            raise Unsupported(
                f"{self.name()} needs a regression, and the task is {type(result.task).__name__}; leave it out"
            )
        return result.task


@dataclass(frozen=True, kw_only=True)
class MeanAbsoluteError(_OfNumbers):
    """Mean absolute error, in the unit of the output; lower is better.

    With several outputs it is the mean over them.

    Example:
        >>> import torch
        >>> from probe import Model, Prediction, Regression
        >>> from probe.metrics import MeanAbsoluteError
        >>> model = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
        >>> x = torch.tensor([[0.25, 0.5], [0.5, 0.25]])
        >>> MeanAbsoluteError()(model, Prediction.of(model, x, torch.tensor([1.0, 0.5]))).value
        0.25
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    columns: ClassVar[tuple[str, ...]] = ("error",)

    def measure(self, model: Model, result: Prediction) -> Evidence:
        task = self._task(model, result)
        error: Evidence = task.error(wide(result.logits), result.labels).mean(-1)
        return error


@dataclass(frozen=True, kw_only=True)
class RootMeanSquaredError(_OfNumbers):
    """Root of the mean squared error, in the unit of the output; lower is better. Large errors count more.

    With several outputs it is over all of them together.

    Example:
        >>> import torch
        >>> from probe import Model, Prediction, Regression
        >>> from probe.metrics import RootMeanSquaredError
        >>> model = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
        >>> x = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
        >>> round(RootMeanSquaredError()(model, Prediction.of(model, x, torch.tensor([1.0, 3.0]))).value, 4)
        1.4142
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "root of the mean"
    columns: ClassVar[tuple[str, ...]] = ("squared_error",)

    def measure(self, model: Model, result: Prediction) -> Evidence:
        task = self._task(model, result)
        squared: Evidence = task.error(wide(result.logits), result.labels).square().mean(-1)
        return squared


@dataclass(frozen=True, kw_only=True)
class RSquared(_OfNumbers):
    """Share of the labels' variance that the predictions explain, at most 1; higher is better.

    At 0 the predictions are no better than the mean label. With several outputs it is the mean over them.

    >>> import torch
    >>> from probe import Dataset, Model, Regression, predict
    >>> from probe.metrics import RSquared
    >>> model = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
    >>> data = Dataset(torch.tensor([[0.0], [0.5], [1.0]]), torch.tensor([0.0, 0.5, 0.5]))
    >>> round(RSquared()(model, predict(model, data)).value, 3)
    -0.5
    """

    reduction: ClassVar[str] = "r squared"
    threshold: ClassVar[float | None] = 0.0
    title: ClassVar[str] = "R squared"
    columns: ClassVar[tuple[str, ...]] = ("label", "answer")

    def measure(self, model: Model, result: Prediction) -> Evidence:
        task = self._task(model, result)
        answers = wide(result.logits)
        pairs = torch.stack([result.labels.reshape(answers.shape).to(answers), answers], 1)
        return pairs[..., 0] if len(task.outputs) == 1 else pairs
