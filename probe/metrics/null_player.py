"""Null player: do features that change nothing get no value?"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.masked import Kept, Masked, Memory, Replacing
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, Presence
from probe.tensors import generator, spans, wide

Null = Bool[Tensor, "batch features"]

_MASKS = 2**23  # bytes of masks held at once


@dataclass(frozen=True, kw_only=True)
class NullPlayer(Replacing):
    """How little of an explanation lies on features that change nothing (the null player of Shapley, arXiv:1705.07874).

    A feature counts as a null player of an example if the output that was explained is the same with and without it,
    among all other features, none of them, and random subsets of them, where the mean reference replaces what is
    absent. Evidence is the share of absolute values on null players; their share of the features, which is that of
    random values; and 0, the best possible. The value is 1 minus own over random, at most 1: higher is better, 1 is no
    value on null players, and 0 is no better than random. Features that equal the mean reference are left out. Where no
    example has a null player the value is NaN.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import NullPlayer
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [0.0, 0.0]])  # the third feature is not used
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 3)))
    >>> found = InputXGradient()(model, torch.ones(1, 3), torch.tensor([0]))
    >>> NullPlayer()(model, found).value
    1.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0  # no better than random values
    title: ClassVar[str] = "gives unused features nothing"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    draws: int = param(2, "random subsets of the other features that each feature is tried with", low=0, high=10**4)
    seed: int = param(0, "seed of the subsets, the same for all examples, and of a random baseline", low=0)

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        """The share of values on null players; masked inputs that the memory holds are not asked again."""
        masked, inputs = self.masked(model, result, memory), model.check(result.inputs)
        features = masked.active.shape[1]
        size = max(1, _MASKS // ((self.draws + 2) * (features + 1) * features))
        null = torch.cat([self._null(masked, rows) for rows in spans(len(inputs), size)])
        sizes = model.space.by_feature(wide(result.values)).abs().cpu() * masked.active
        total, active = sizes.sum(1), masked.active.sum(1).to(sizes.dtype)
        random = null.sum(1) / active.clamp(min=1)
        # What gives nothing to anything says as much as random values.
        own = torch.where(total > 0, (sizes * null).sum(1) / total.clamp(min=torch.finfo(sizes.dtype).tiny), random)
        return torch.stack([own, random, torch.zeros_like(own)], 1).to(inputs.device)

    def _null(self, masked: Masked, rows: slice) -> Null:
        active = masked.active[rows]
        changes = torch.zeros_like(active)
        for others in self._others(active.shape[1]):
            outputs = masked(rows, _toggled(others, active))
            rounding = 32 * torch.finfo(outputs.dtype).eps * outputs.abs().amax(1, keepdim=True)
            changes |= (outputs[:, 1:] - outputs[:, :1]).abs() > rounding
        return active & ~changes

    def _others(self, features: int) -> Presence:
        """The subsets that each feature is tried with: all, none and random ones."""
        source = generator(self.seed, torch.device("cpu"))
        ends = torch.tensor([[True], [False]]).expand(2, features)
        return torch.cat([ends, torch.rand(self.draws, features, generator=source) < 0.5])


def _toggled(others: Tensor, active: Presence) -> Kept:
    """A subset as it is, then with each feature in turn added or taken away."""
    turns = torch.eye(len(others), dtype=torch.bool)
    return torch.cat([others[None], others ^ turns]).expand(len(active), -1, -1)
