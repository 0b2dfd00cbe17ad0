"""Faithfulness correlation: do sums of values go with the changes in output?"""

from dataclasses import dataclass
from typing import ClassVar

from probe.method import param
from probe.metrics.masked import Masked
from probe.metrics.subsets import Explanations, Subsets, against_random, correlated, dropped, summed
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class FaithfulnessCorrelation(Subsets):
    """How well sums of values predict the change in output when subsets of features are removed (arXiv:2005.00631).

    Random subsets of one size are replaced by the mean reference, and the sums of their values are correlated with the
    falls of the output that was explained (Pearson). Evidence is that correlation in [-1, 1], its mean over random
    explanations with the same values in another order, and 1, the best possible. The value is the lead over random as
    a share of the best possible lead, at most 1: higher is better, 1 is a perfect correlation, and 0 is no better than
    random. Features that equal the mean reference are left out. An example whose output no subset changes counts for
    nothing, and where all are such the value is NaN.

    Raises:
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import FaithfulnessCorrelation
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [1.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 5)))
    >>> found = InputXGradient()(model, torch.ones(1, 5), torch.tensor([0]))
    >>> round(FaithfulnessCorrelation()(model, found).value, 4)
    1.0
    """

    title: ClassVar[str] = "sums of values predict changes"

    share: float = param(0.2, "share of features in a subset, at least one and not all", low=0.0, high=1.0)

    def _part(self, masked: Masked, rows: slice, values: Explanations) -> Evidence:
        active = masked.active[rows]
        count = active.sum(1, keepdim=True)
        sizes = (self.share * count.double()).round().long().clamp(min=1).minimum((count - 1).clamp(min=0))
        removed = self._removed(active, sizes.expand(-1, self.samples))
        found, varies = correlated(summed(values, removed), dropped(masked, rows, removed))
        return against_random(found, varies)
