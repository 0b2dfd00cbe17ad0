"""Max-sensitivity: how far an explanation moves when the input hardly does."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.metrics.masked import Memory
from probe.metrics.noisy import Copies, Noisy
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerExample, PerFeature


@dataclass(frozen=True, kw_only=True)
class MaxSensitivity(Noisy):
    """How little an explanation moves when the input moves a little, against random values (arXiv:1901.09392).

    The method explains noisy copies of the input, whose noise is uniform within `radius` times the space's scale.
    Copies stay real inputs: within the bounds, with fixed coordinates, categories and whole numbers kept. Evidence is
    the max-sensitivity, which is the largest distance (L2, by feature) between the explanation of a copy and that of
    the input, divided by the length of the latter; the same for as many copies explained by these values in random
    order; and 0, the best possible. The value is 1 minus own over random, at most 1: higher is better, 1 is no
    change, and 0 is no steadier than random. An explanation that ignores its input is steady too. Inputs that no noise
    moves, such as whole numbers, count for nothing; where all are such the value is NaN.

    Raises:
        Unsupported: if inputs are token ids, or the values were not made by an explainer.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import MaxSensitivity
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> MaxSensitivity()(model, Saliency()(model, torch.full((1, 4), 0.5))).value  # a constant gradient
    1.0
    """

    title: ClassVar[str] = "steady under noise"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        own, moved = self.explained(model, result, memory)
        far = [_farthest(own, others) for others in (moved, self.shuffled(own))]
        found = torch.stack([*far, torch.zeros_like(far[0])], 1)
        # Of nothing there is no share, and what no noise moves shows nothing.
        shows = (own.norm(dim=1) > 0) & (self.distances(model, result) > 0).any(0)
        return torch.where(shows[:, None], found, 0.0)


def _farthest(own: PerFeature, others: Copies) -> PerExample:
    """The largest distance of other explanations, as a share of the length of one."""
    length = own.norm(dim=1).clamp(min=torch.finfo(own.dtype).tiny)
    return (others - own).norm(dim=2).amax(0) / length
