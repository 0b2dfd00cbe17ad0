"""Relevance mass: how much of an explanation lies where the truth is?"""

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
class RelevanceMass(Metric[Attribution]):
    """How much of the absolute values lies in the planted truth, beyond chance (arXiv:2003.07258).

    The truth is a mask of what decides, such as a pasted patch or the edges of a motif: `found.planted(mask)`. Evidence
    is the share of absolute values on features that have a coordinate in the mask; the share of such features, which is
    what random values reach; and 1, the best possible. The value is the lead over random as a share of the best
    possible lead, at most 1: higher is better, and 0 is no better than random. Features that equal the mean reference
    are left out, unless they are in the mask.

    Raises:
        Unsupported: if the explanation has no planted truth.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import RelevanceMass
    >>> weights = torch.tensor([[6.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> found = Saliency()(model, torch.full((1, 4), 0.5), torch.tensor([0]))
    >>> RelevanceMass()(model, found.planted(torch.tensor([[True, False, False, False]]))).evidence.tolist()
    [[0.75, 0.25, 1.0]]
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0
    title: ClassVar[str] = "lies on the truth"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    def suits(self, result: Attribution) -> bool:
        return result.truth is not None

    def measure(self, model: Model, result: Attribution) -> Evidence:
        held, there = planted(model, result, self.name())
        sizes = model.space.by_feature(wide(result.values)).to(held.device).abs() * there
        random = held.sum(1) / there.sum(1).clamp(min=1).to(sizes.dtype)
        total = sizes.sum(1)
        # What gives nothing to anything says as much as random values.
        own = torch.where(total > 0, (sizes * held).sum(1) / total.clamp(min=torch.finfo(sizes.dtype).tiny), random)
        return torch.stack([own, random, torch.ones_like(own)], 1)
