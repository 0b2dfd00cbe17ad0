"""Shared by metrics that remove random subsets of features: the subsets, what they change, and random explanations."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.masked import Masked, Memory, Replacing
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerFeature, Presence
from probe.tensors import generator, spans, wide

Removed = Bool[Tensor, "batch subsets features"]
Sizes = Int[Tensor, "batch subsets"]
Count = Int[Tensor, "batch 1"]  # of the features that can be removed
Drops = Float[Tensor, "batch subsets"]  # of the output, where a subset is removed
Explanations = Float[Tensor, "batch explanations features"]  # the one that is measured, then the random ones
Sums = Float[Tensor, "batch explanations subsets"]  # of the values of the features that are removed
Judged = Float[Tensor, "batch explanations"]

_MASKS = 2**23  # bytes of masks held at once


@dataclass(frozen=True, kw_only=True)
class Subsets(Replacing, ABC):
    """A metric that compares the values of removed features with the change in output, for random subsets."""

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0  # no better than random values
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    samples: int = param(100, "random subsets of features that are removed, the same for all explanations", low=2)
    shuffles: int = param(8, "random explanations to compare with: the same values in random order", low=1)
    seed: int = param(0, "seed of the subsets, the random explanations and a random baseline", low=0)

    def notes(self, model: Model) -> dict[str, str]:
        return {"inconclusive": "not distinguishable from the same values in random order"}

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        """Compare sums of values with changes in output; masked inputs that the memory holds are not asked again."""
        masked, inputs = self.masked(model, result, memory), model.check(result.inputs)
        values = self._explanations(self._values(model, result).cpu().double(), masked.active)
        size = max(1, _MASKS // max(1, 8 * self.samples * values[0, 0].numel()))
        parts = [self._part(masked, rows, values[rows]) for rows in spans(len(inputs), size)]
        return torch.cat(parts).to(
            device=inputs.device, dtype=wide(inputs).dtype if inputs.is_floating_point() else None
        )

    def _values(self, model: Model, result: Attribution) -> PerFeature:
        """The values by feature, as they are summed."""
        return model.space.by_feature(wide(result.values))

    @abstractmethod
    def _part(self, masked: Masked, rows: slice, values: Explanations) -> Evidence:
        """The evidence of the examples at some rows."""

    def _explanations(self, own: PerFeature, active: Presence) -> Explanations:
        """The values, and the same in random orders among the active features."""
        noise = torch.rand(self.shuffles, own.shape[1], generator=self._source(1), dtype=torch.float64)
        kinds, which = torch.unique(active, dim=0, return_inverse=True)  # the same active features have the same orders
        order = noise.expand(len(kinds), -1, -1).masked_fill(~kinds[:, None], torch.inf).argsort(2)
        places = (~kinds).to(torch.uint8).argsort(dim=1, stable=True)[:, None].expand_as(order)  # the active ones first
        source = torch.empty_like(order).scatter_(2, places, order)[which]
        return torch.cat([own[:, None], own[:, None].expand_as(source).gather(2, source)], 1)

    def _removed(self, active: Presence, sizes: Sizes) -> Removed:
        """A random subset of the active features of each size."""
        noise = torch.rand(sizes.shape[1], active.shape[1], generator=self._source(0), dtype=torch.float64)
        order = noise.argsort(1)  # once: all examples have the same
        # Examples with the same active features lose the same subsets.
        kinds, which = torch.unique(torch.cat([sizes, active.to(sizes)], 1), dim=0, return_inverse=True)
        sizes, there = kinds[:, : sizes.shape[1]], kinds[:, sizes.shape[1] :].bool()[:, order]
        first = there & (there.cumsum(2, dtype=torch.int32) <= sizes[:, :, None])
        return torch.empty_like(first).scatter_(2, order.expand_as(first), first)[which]

    def _source(self, stream: int) -> torch.Generator:
        return generator(2 * self.seed + stream, torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class Correlating(Subsets, ABC):
    """A metric that correlates sums of values with changes in output, at each of several sizes of subsets (Pearson).

    Evidence is the mean correlation over the sizes at which the output varies, in [-1, 1]; its mean over random
    explanations with the same values in another order; and 1, the best possible. The value is the lead over random as a
    share of the best possible lead, at most 1: higher is better, 1 is a perfect correlation at each size, and 0 is no
    better than random. Features that equal the mean reference are left out. An example whose output no subset changes
    counts for nothing, and where all are such the value is NaN.
    """

    @abstractmethod
    def _sizes(self, count: Count) -> Sizes:
        """How many features the subsets remove, one column for each size, of (batch, 1) features; maybe none."""

    def _part(self, masked: Masked, rows: slice, values: Explanations) -> Evidence:
        active = masked.active[rows]
        sizes = self._sizes(active.sum(1, keepdim=True))
        removed = self._removed(active, sizes.repeat_interleave(self.samples, 1))
        sums, drops = summed(values, removed), dropped(masked, rows, removed)
        parts = [slice(at * self.samples, (at + 1) * self.samples) for at in range(sizes.shape[1])]
        each = [correlated(sums[..., part], drops[:, part]) for part in parts]
        found, varies = (torch.stack(list(kind), -1) for kind in zip(*each, strict=True))
        mean = found.sum(-1) / varies.sum(-1).clamp(min=1)[:, None]
        return against_random(mean, varies.any(-1))


def dropped(masked: Masked, rows: slice, removed: Removed) -> Drops:
    """How much lower the output is without each subset than with all features; 0 where it is so up to rounding."""
    kept = torch.cat([torch.ones_like(removed[:, :1]), ~removed], 1)
    outputs = masked(rows, kept)
    rounding = 8 * torch.finfo(outputs.dtype).eps * outputs.abs().amax(1, keepdim=True).double()
    drops = outputs[:, :1].double() - outputs[:, 1:].double()
    return torch.where(drops.abs() <= rounding, 0.0, drops)


def summed(values: Explanations, removed: Removed) -> Sums:
    """The sum of the values of the removed features."""
    return values @ removed.double().mT


def correlated(sums: Sums, drops: Drops) -> tuple[Judged, Tensor]:
    """Pearson's correlation, 0 where sums do not vary, and whether the drops of an example vary."""
    (sums, lengths), (drops, length) = _centred(sums), _centred(drops)
    found = (sums @ drops[:, :, None])[..., 0] / (lengths * length[:, None]).clamp(min=1e-300)
    varies = length > 0
    return torch.where(varies[:, None], found, 0.0), varies


def _centred(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers without their mean, and their length; both are 0 where they are equal up to rounding."""
    centred = numbers - numbers.mean(-1, keepdim=True)
    equal = centred.abs().amax(-1, keepdim=True) <= 1e-6 * numbers.abs().amax(-1, keepdim=True)
    centred = torch.where(equal, 0.0, centred)
    return centred, centred.norm(dim=-1)


def against_random(found: Judged, best: Tensor) -> Evidence:
    """The evidence: of the explanation, averaged over the random ones, and the best possible."""
    return torch.stack([found[:, 0], found[:, 1:].mean(1), best.to(found.dtype)], 1)
