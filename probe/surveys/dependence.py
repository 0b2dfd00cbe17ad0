"""How the output depends on one feature, at places over its range."""

from abc import ABC
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from probe.contracts import Survey
from probe.errors import RangeError, Unsupported
from probe.method import param, required
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels, PerExample


class Grid(NamedTuple):
    """Values of one feature: its coordinates (columns), and what they hold at each place (places, columns)."""

    columns: Tensor
    values: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Dependence(Survey, ABC):
    """A survey of one feature of a table, whose items are values of it."""

    item: ClassVar[str] = "value"

    feature: str = required("name of the feature")
    answer: str = param("", "name of the class or output; by default the last")
    output: Literal["probability", "logit"] = param("probability", "whether its probability or its logit is averaged")
    points: int = param(11, "values at most: quantiles of the feature, or its levels", low=2, high=1000)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return self.grid(model, inputs).names

    def along(self) -> str:
        return self.feature

    def grid(self, model: Model, inputs: Inputs) -> Grid:
        """The values of the feature at which the model is asked.

        Raises:
            RangeError: if there is no such feature.
            Unsupported: if it has several coordinates and is no category, or nothing is known of it.
        """
        names = model.space.feature_names(inputs)
        if self.feature not in names:
            some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            raise RangeError(f"{type(self).__name__}.feature = {self.feature!r}, expected one of {some}")
        at = names.index(self.feature)
        kept = torch.zeros(1, len(names), dtype=torch.bool, device=inputs.device)
        kept[0, at] = True
        columns = model.space.coordinate_mask(kept, inputs[:1])[0].flatten().nonzero()[:, 0]
        kind = model.space.kinds[at] if model.space.kinds else "continuous"
        values = self.places(inputs.flatten(1)[:, columns], kind)
        shown = inputs[:1].expand(len(values), *inputs.shape[1:]).flatten(1).clone()
        shown[:, columns] = values
        told = model.space.describe(shown.view(-1, *inputs.shape[1:]))
        return Grid(columns, values, tuple(row[at] for row in told))

    def places(self, known: Tensor, kind: str) -> Tensor:
        """Distinct values of the feature, from those that rows have (rows, columns)."""
        if kind == "category":
            levels = torch.eye(known.shape[1]).to(known)
            return levels[known.sum(0) > 0]
        if known.shape[1] != 1:
            raise Unsupported(
                f"{self.name()} sets one number or category, and {self.feature} has {known.shape[1]} coordinates; "
                "name another feature, or use Occlusion"
            )
        there = known[~known.isnan().any(1), 0].sort().values
        if not len(there):
            raise Unsupported(f"{self.feature} is missing in all rows; name another feature")
        # Values that rows have, so that whole numbers stay whole.
        at = torch.linspace(0, len(there) - 1, self.points, device=known.device).round().long()
        chosen = there[at]
        return chosen[torch.cat([chosen.new_ones(1), chosen.diff()]) > 0][:, None]

    def asked(self, model: Model, inputs: Inputs, columns: Tensor, values: Tensor) -> PerExample:
        """The output of each row with its own values of the feature in place of those that it has."""
        changed = inputs.flatten(1).clone()
        changed[:, columns] = values.to(changed)
        return model.target_outputs(changed.view(inputs.shape), answer_of(self, model, inputs), self.output)


def answer_of(method: Any, model: Model, inputs: Inputs) -> Labels:
    """The output of each row that a survey asks about: `answer`, or the last one.

    Raises:
        RangeError: if there is none of that name.
    """
    names = model.task.names
    if method.answer and method.answer not in names:
        known = ", ".join(names) or "none, as the answers have no names"
        raise RangeError(f"{type(method).__name__}.answer = {method.answer!r}, expected one of {known}")
    count = model.logits(inputs[:1]).shape[1]
    return torch.full((len(inputs),), names.index(method.answer) if method.answer else count - 1, device=inputs.device)


@dataclass(frozen=True, kw_only=True)
class PartialDependence(Dependence):
    """The mean output with a feature set to each of some values, and each row's curve (doi:10.1214/aos/1013203451).

    The evidence of a row is its own curve of individual conditional expectation (arXiv:1309.6392): its output with the
    feature at each value, and all else as it is. Their mean is the partial dependence; higher is more of the output.
    Where features depend on each other, rows are asked about that cannot be, such as a tall infant:
    `AccumulatedEffects` asks near what rows have.

    Raises:
        RangeError: if there is no such feature or answer.
        Unsupported: if the feature has several coordinates and is no category.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import PartialDependence
        >>> forward = lambda x: torch.stack([-x[:, 0] - x[:, 1], x[:, 0] + x[:, 1]], 1)
        >>> model = Model(forward=forward, space=Space(bounds=(0, 9), names=("age", "debt")))
        >>> data = Dataset(torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.tensor([1, 1]), space=model.space)
        >>> found = PartialDependence(feature="age", output="logit", points=2)(model, data).to_frame()
        >>> found["value"].tolist()
        [2.0, 4.0]
    """

    asks: ClassVar[str] = "mean output with the feature at this value"

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        grid = self.grid(model, inputs)
        return torch.stack([self.asked(model, inputs, grid.columns, each) for each in grid.values], 1)
