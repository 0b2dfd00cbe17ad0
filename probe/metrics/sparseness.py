"""Sparseness: is an attribution concentrated on few features?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Metric
from probe.contracts.metric import Follows
from probe.finding import Aspect
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class Sparseness(Metric[Attribution]):
    """Concentration of an attribution on few features: the Gini index of absolute values (arXiv:1810.06583).

    In [0, 1): 0 if all absolute values are equal, and 1 - 1/n if one of n features has all (Hurley and Rickard 2009,
    arXiv:0811.4706); higher is easier to read, which does not mean that the features are the right ones.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import Sparseness
    >>> weights = torch.tensor([[4.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])  # one feature of four
    >>> model = Model(forward=lambda x: x @ weights)
    >>> Sparseness()(model, Saliency()(model, torch.full((1, 4), 0.5))).value
    0.75
    """

    aspect: ClassVar[Aspect] = "explanation"
    follows: ClassVar[Follows] = "wholly"
    title: ClassVar[str] = "names few features"
    columns: ClassVar[tuple[str, ...]] = ("gini",)

    def measure(self, model: Model, result: Attribution) -> Evidence:
        sizes = wide(model.space.by_feature(wide(result.values)).abs()).sort(dim=1).values
        count = sizes.shape[1]
        ranks = torch.arange(count, 0, -1, device=sizes.device).to(sizes.dtype) - 0.5  # sorted, smallest first
        total = sizes.sum(1)
        index = 1 - 2 * (sizes * ranks).sum(1) / (total * count)
        return torch.where(total > 0, index, torch.zeros_like(index))
