"""Rank stability: does an explanation name the same features when the input hardly moves?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.metrics.masked import Memory
from probe.metrics.noisy import Noisy
from probe.metrics.randomised import alike
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class RankStability(Noisy):
    """How far the order of the features stays the same when the input moves a little (after arXiv:1806.08049).

    The method explains noisy copies of the input, whose noise is uniform within `radius` times the space's scale.
    Copies stay real inputs: within the bounds, with fixed coordinates, categories and whole numbers kept. Evidence is
    the rank correlation (Spearman) of the explanations of a copy and of the input, averaged over the copies, in
    [-1, 1], over features to which either gives a value; 0, that of values in random order; and 1, the best possible.
    The value is own as a share of the best: higher is better, 1 is the same order for all copies, and 0 is no steadier
    than random. `MaxSensitivity` asks how far values move; this one asks whether another feature comes first. An
    explanation that ignores its input is steady too. Inputs that no noise moves, such as whole numbers, count for
    nothing; where all are such the value is NaN.

    Raises:
        Unsupported: if inputs are token ids, or the values were not made by an explainer.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import RankStability
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> RankStability()(model, Saliency()(model, torch.full((1, 4), 0.5))).value  # a constant gradient
    1.0
    """

    title: ClassVar[str] = "same order under noise"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        own, moved = self.explained(model, result, memory)
        found = torch.stack([alike(own, each) for each in moved]).mean(0).clamp(-1, 1)
        evidence = torch.stack([found, torch.zeros_like(found), torch.ones_like(found)], 1)
        # Of nothing and of one feature there is no order, and what no noise moves shows nothing.
        shows = (own != 0).any(1) & (self.distances(model, result) > 0).any(0) & (own.shape[1] > 1)
        return torch.where(shows[:, None], evidence, 0.0)
