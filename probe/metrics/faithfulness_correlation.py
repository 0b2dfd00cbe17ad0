"""Faithfulness correlation: do sums of values go with the changes in output?"""

from dataclasses import dataclass
from typing import ClassVar

from probe.method import param
from probe.metrics.subsets import Correlating, Count, Sizes


@dataclass(frozen=True, kw_only=True)
class FaithfulnessCorrelation(Correlating):
    """How well sums of values predict the change in output when subsets of features are removed (arXiv:2005.00631).

    Random subsets of one size are replaced by the mean reference, and the sums of their values are correlated with the
    falls of the output that was explained (Pearson). Evidence is that correlation, in [-1, 1], beside that of random
    explanations with the same values and the best possible, 1. The value is the lead over random as a share of the best
    possible lead, at most 1: higher is better, and 0 is no better than random. `SensitivityN` is the same over several
    sizes. An example whose output no subset changes counts for nothing; where all are such the value is NaN.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

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

    def _sizes(self, count: Count) -> Sizes:
        return (self.share * count.double()).round().long().clamp(min=1).minimum((count - 1).clamp(min=0))
