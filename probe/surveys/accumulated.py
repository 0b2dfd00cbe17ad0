"""How the output changes along one feature, among rows that have about that value."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.errors import Unsupported
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.dependence import Dependence


@dataclass(frozen=True, kw_only=True)
class AccumulatedEffects(Dependence):
    """The effect of a feature, summed up from small steps of the rows that are near each (ALE, arXiv:1612.08468).

    Between two neighbouring values the output changes by so much on average over the rows in between; these changes are
    summed up and centred on the data. Unlike `PartialDependence` no row is taken far from what it is, so that features
    that depend on each other do not mix. The evidence of a row is its own step in each sum that holds it, times the
    rows over those in its interval, so that the mean is the curve; higher is more of the output than on average.

    Raises:
        RangeError: if there is no such feature or answer.
        Unsupported: if the feature is a category, which has no neighbours, has several coordinates, or one value alone.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import AccumulatedEffects
        >>> forward = lambda x: torch.stack([-x[:, 0] * x[:, 1], x[:, 0] * x[:, 1]], 1)
        >>> model = Model(forward=forward, space=Space(bounds=(0, 9), names=("age", "debt")))
        >>> rows = torch.tensor([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])
        >>> data = Dataset(rows, torch.tensor([1, 1, 1]), space=model.space)
        >>> found = AccumulatedEffects(feature="age", output="logit", points=3)(model, data).to_frame()
        >>> (found["value"] - found["value"][0]).tolist()
        [0.0, 4.0, 8.0]
    """

    asks: ClassVar[str] = "output compared with its mean, by the effect of the feature up to this value"

    def places(self, known: Tensor, kind: str) -> Tensor:
        if kind == "category":
            raise Unsupported(
                f"{self.name()} goes from one value to the next, and {self.feature} is a category; "
                "use PartialDependence"
            )
        found = super().places(known, kind)
        if len(found) < 2:
            raise Unsupported(
                f"{self.feature} has the same value in all rows, so that it has no effect to be summed up"
            )
        return found

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        grid = self.grid(model, inputs)
        own, edges = inputs.flatten(1)[:, grid.columns[0]], grid.values[:, 0]
        there = ~own.isnan()
        # The interval of each row, of those between neighbouring values; the first has its lower end too.
        step = torch.searchsorted(edges, own.nan_to_num(nan=float(edges[0])).contiguous()).clamp(1, len(edges) - 1) - 1
        ends = [self.asked(model, inputs, grid.columns, edges[step + up][:, None]) for up in (0, 1)]
        change = torch.where(there, ends[1] - ends[0], 0.0)
        counts = torch.bincount(step[there], minlength=len(edges) - 1).clamp(min=1)
        each = torch.zeros(len(inputs), len(edges) - 1, dtype=change.dtype, device=change.device)
        each[torch.arange(len(inputs)), step] = change * len(inputs) / counts[step]
        curve = torch.cat([torch.zeros_like(each[:, :1]), each.cumsum(1)], 1)
        share = counts.to(curve) / counts.sum()
        return curve - ((curve[:, 1:] + curve[:, :-1]) / 2 @ share)[:, None]
