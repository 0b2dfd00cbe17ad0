"""The pointing game: does the largest value lie where the truth is?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Metric
from probe.finding import Aspect
from probe.formatting import Unit
from probe.metrics.planted import planted
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class PointingGame(Metric[Attribution]):
    """How often the feature with the largest value lies in the planted truth, beyond chance (arXiv:1608.00507).

    The truth is a mask of what decides, such as a pasted patch or the edges of a motif: `found.planted(mask)`. Evidence
    is whether the feature with the largest value has a coordinate in the mask (of several equal ones, their share); the
    share of such features, which is what random values reach; and 1, the best possible. The value is the lead
    over random as a share of the best possible lead, at most 1: higher is better, and 0 is no better than random.
    Features that equal the mean reference are left out, unless they are in the mask.

    Raises:
        Unsupported: if the explanation has no planted truth.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import PointingGame
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> found = Saliency()(model, torch.full((1, 4), 0.5), torch.tensor([0]))
    >>> PointingGame()(model, found.planted(torch.tensor([[True, False, False, False]]))).value
    1.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0
    title: ClassVar[str] = "points at the truth"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    def suits(self, result: Attribution) -> bool:
        return result.truth is not None

    def measure(self, model: Model, result: Attribution) -> Evidence:
        held, there = planted(model, result, self.name())
        values = model.space.by_feature(wide(result.values)).to(held.device).masked_fill(~there, -torch.inf)
        largest = there & (values == values.amax(1, keepdim=True))
        hit, random = ((held & each).sum(1) / each.sum(1).clamp(min=1).to(values.dtype) for each in (largest, there))
        return torch.stack([hit, random, torch.ones_like(hit)], 1)
