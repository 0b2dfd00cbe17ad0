"""Local Lipschitz constant: how steeply can an explanation change near an input?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.metrics.masked import Memory
from probe.metrics.noisy import Copies, Distances, Noisy
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerExample, PerFeature


@dataclass(frozen=True, kw_only=True)
class LocalLipschitz(Noisy):
    """How little an explanation moves for each step of the input, against random values (arXiv:1806.08049).

    The method explains noisy copies of the input, whose noise is uniform within `radius` times the space's scale.
    Copies stay real inputs: within the bounds, with fixed coordinates, categories and whole numbers kept. Evidence is
    the local Lipschitz constant, which is the largest distance (L2, by feature) between the explanation of a copy and
    that of the input, over the distance of the two (L2, in units of the scale), divided by the length of the latter
    explanation; the same for copies explained by these values in random order; and 0, the best possible. The value is
    1 minus own over random, at most 1: higher is better, 1 is no change, and 0 is no steadier than random.
    `MaxSensitivity` looks at the largest move, this one at the steepest. An explanation that ignores its input is
    steady too. Inputs that no noise can move count for nothing.

    Raises:
        Unsupported: if inputs are token ids, or the values were not made by an explainer.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import LocalLipschitz
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> LocalLipschitz()(model, Saliency()(model, torch.full((1, 4), 0.5))).value  # a constant gradient
    1.0
    """

    title: ClassVar[str] = "no steep change under noise"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        own, moved = self.explained(model, result, memory)
        apart = self.distances(model, result).to(own)
        steep = [_steepest(own, others, apart) for others in (moved, self.shuffled(own))]
        found = torch.stack([*steep, torch.zeros_like(steep[0])], 1)
        return torch.where(own.norm(dim=1)[:, None] > 0, found, 0.0)  # of nothing there is no share


def _steepest(own: PerFeature, others: Copies, apart: Distances) -> PerExample:
    """The largest distance of other explanations over that of their inputs, as a share of the length of one."""
    tiny = torch.finfo(own.dtype).tiny
    slope = torch.where(apart > 0, (others - own).norm(dim=2) / apart.clamp(min=tiny), 0.0)
    return slope.amax(0) / own.norm(dim=1).clamp(min=tiny)
