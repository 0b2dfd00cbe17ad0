"""Sensitivity-n: faithfulness correlation over subsets of several sizes."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.method import param
from probe.metrics.masked import Masked
from probe.metrics.subsets import Explanations, Subsets, against_random, correlated, dropped, summed
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class SensitivityN(Subsets):
    """How well sums of values predict the change in output, averaged over sizes of subsets (arXiv:1711.06104).

    For each of several sizes n, from one feature to all but one, random subsets are replaced by the mean reference, and
    the sums of their values are correlated with the falls of the output that was explained (Pearson). Evidence is the
    mean correlation over the sizes at which the output varies, in [-1, 1], the same averaged over random explanations
    with these values in another order, and 1, the best possible. The value is the lead over random as a share of the
    best possible lead, at most 1: higher is better, 1 is a perfect correlation at each size, and 0 is no better than
    random. Features that equal the mean reference are left out. An example whose output no subset changes counts for
    nothing, and where all are such the value is NaN.

    Raises:
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import SensitivityN
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [1.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 5)))
    >>> found = InputXGradient()(model, torch.ones(1, 5), torch.tensor([0]))
    >>> round(SensitivityN()(model, found).value, 4)
    1.0
    """

    title: ClassVar[str] = "sums of values predict changes at each size"

    samples: int = param(50, "random subsets of each size, the same for all explanations", low=2)
    sizes: int = param(5, "sizes of subsets, evenly spaced from one feature to all but one", low=1)

    def _part(self, masked: Masked, rows: slice, values: Explanations) -> Evidence:
        active = masked.active[rows]
        most = (active.sum(1, keepdim=True) - 1).clamp(min=0)
        share = torch.linspace(0, 1, self.sizes, dtype=torch.float64)
        sizes = (1 + share * (most - 1)).round().long().clamp(min=0).minimum(most)
        removed = self._removed(active, sizes.repeat_interleave(self.samples, 1))
        sums, drops = summed(values, removed), dropped(masked, rows, removed)
        each = [correlated(sums[..., part], drops[:, part]) for part in self._parts()]
        found, varies = (torch.stack(list(kind), -1) for kind in zip(*each, strict=True))
        mean = found.sum(-1) / varies.sum(-1).clamp(min=1)[:, None]
        return against_random(mean, varies.any(-1))

    def _parts(self) -> list[slice]:
        """The subsets of each size."""
        return [slice(at * self.samples, (at + 1) * self.samples) for at in range(self.sizes)]
