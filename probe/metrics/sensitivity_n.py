"""Sensitivity-n: faithfulness correlation over subsets of several sizes."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.method import param
from probe.metrics.subsets import Correlating, Count, Sizes


@dataclass(frozen=True, kw_only=True)
class SensitivityN(Correlating):
    """How well sums of values predict the change in output, averaged over sizes of subsets (arXiv:1711.06104).

    `FaithfulnessCorrelation` at each of several sizes n, from one feature to all but one. Evidence is the mean
    correlation over the sizes at which the output varies, in [-1, 1], beside that of random explanations with the same
    values and the best possible, 1. The value is the lead over random as a share of the best possible lead, at most 1:
    higher is better, 1 is a perfect correlation at each size, and 0 is no better than random. An example whose output
    no subset changes counts for nothing; where all are such the value is NaN.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

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

    def _sizes(self, count: Count) -> Sizes:
        most = (count - 1).clamp(min=0)
        share = torch.linspace(0, 1, self.sizes, dtype=torch.float64)
        return (1 + share * (most - 1)).round().long().clamp(min=0).minimum(most)
