"""A Metric measures a result: it gathers evidence from each example and reduces it to one number."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from inspect import isclass
from typing import Any, ClassVar, Generic, Literal, TypeVar, final, get_args, get_type_hints

import torch
from torch import Tensor

from probe.contracts.common import in_order, placed
from probe.contracts.reducer import Reducer
from probe.errors import ContractError, DataError, ShapeError
from probe.formatting import Unit
from probe.model import Model
from probe.results import AnyResult, Scores
from probe.shapes import Evidence

R = TypeVar("R", bound=AnyResult)
Whole = Literal["", "start", "end"]
Follows = Literal["", "partly", "wholly"]


class Metric(Reducer, ABC, Generic[R]):
    """Gathers evidence from each example of a result and reduces it to one number.

    >>> import torch
    >>> from typing import ClassVar
    >>> from probe import Metric, Model, Prediction
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Confidence(Metric[Prediction]):
    ...     'The probability of the answer, in [0, 1]; higher is surer.'
    ...     aspect: ClassVar[str] = "performance"
    ...     unit: ClassVar[str] = "share"
    ...     def measure(self, model: Model, result: Prediction) -> torch.Tensor:
    ...         return result.probabilities.max(1).values
    >>> model = Model(forward=lambda x: torch.cat([x, -x], 1))
    >>> answers = Prediction.of(model, torch.zeros(3, 1), torch.zeros(3, dtype=torch.long))
    >>> Confidence()(model, answers).value
    0.5
    """

    family: ClassVar[str] = "metric"
    columns: ClassVar[tuple[str, ...]] = ("evidence",)  # names of the numbers in the evidence of an example
    # Where the metric has `curves`, (batch, 3, points), under which the evidence is the area: the end at which they
    # show the output of the whole input. An audit keeps them: the metric's own, that of chance, and the places between.
    whole: ClassVar[Whole] = ""
    blank: ClassVar[Whole] = ""  # the end at which they show the output at the mean reference, if they do
    # Columns that are the same for every explanation of the same output, such as what random orders give.
    alike: ClassVar[tuple[str, ...]] = ()
    # How far the evidence follows from the rest of a bundle: `verify` checks that much of it without the model, and
    # names the metric among those that only a second run can contradict, unless it follows wholly.
    follows: ClassVar[Follows] = ""

    @abstractmethod
    def measure(self, model: Model, result: R) -> Evidence:
        """Return what each example shows, (batch, ...)."""

    def suits(self, result: R) -> bool:
        """Whether the metric applies to a result; if not, an audit skips it."""
        return True

    def notes(self, model: Model) -> Mapping[str, str]:
        """Notes of a finding, by its status; the note under "" is for every status."""
        return {}

    @classmethod
    def result_type(cls) -> Any:
        """The type of result in the annotation of `measure`, or a union of several.

        Raises:
            ContractError: if there is no such annotation.
        """
        said = get_type_hints(cls.measure).get("result")
        if not all(isclass(each) and issubclass(each, AnyResult) for each in get_args(said) or (said,)):
            raise ContractError(
                f"{cls.__name__}.measure does not say which result it measures; annotate it, as in "
                "`def measure(self, model: Model, result: Attribution) -> Evidence`"
            )
        return said

    @final
    def __call__(self, model: Model, result: R) -> Scores:
        """Measure a result."""
        Model.require(model)
        if not isinstance(result, self.result_type()):
            wanted = getattr(self.result_type(), "__name__", str(self.result_type()))
            raise TypeError(f"{self} reads {wanted}, got {type(result).__name__}")
        _refuse_undefined(result)
        same = "measure it with a model that has the same outputs, in the same order"
        model.task.check_names(result.names, "those of the result", same)
        before = copy(model.usage)
        evidence = self.each(placed(model), result, self.measure).detach()
        if evidence.ndim == 0 or len(evidence) != len(result):
            raise ShapeError(
                f"{self} returned {tuple(evidence.shape)} for {len(result)} examples, expected (examples, ...)"
            )
        return Scores(evidence, self, model.usage - before)

    @final
    def each(self, model: Model, result: R, ask: Callable[[Model, R], Tensor]) -> Tensor:
        """What is asked of a result; where each example has its own features, of groups with the same features."""
        space, inputs = getattr(result, "space", None), getattr(result, "inputs", None)
        if space is None or inputs is None or not space.differs(inputs):
            return ask(model, result)
        parts = space.alike(inputs)
        found = [
            ask(replace(model, space=each.on(model.device)), replace(result[rows], space=each))  # type: ignore[type-var]  # each result is a dataclass
            for rows, each in parts
        ]
        return in_order(found, [rows for rows, _ in parts])


def areas(curves: Tensor) -> Evidence:
    """The areas under the curves of each example, (batch, 2), by the trapezoid rule over the places of their points."""
    return torch.trapezoid(curves[:, :2], curves[:, 2:], dim=2)


def _refuse_undefined(result: AnyResult) -> None:
    values = getattr(result, "values", None)
    if isinstance(values, Tensor) and not bool(values.isfinite().all()):
        row = int((~values.isfinite()).flatten(1).any(1).nonzero()[0])
        raise DataError(
            f"the values hold NaN or infinity, first in row {row}, expected numbers; leave such rows out, as in "
            "found[rows]"
        )


class Proportion(Metric[R], ABC):
    """A metric whose evidence is 0 or 1 for each example, so that its interval is Wilson's."""

    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "proportion"
