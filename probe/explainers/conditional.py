"""Shapley values where absent features go with the present ones, as far as the reference rows tell."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from probe.contracts import Sampled
from probe.contracts.common import refuse_missing
from probe.errors import Unsupported
from probe.explainers.alike import Active
from probe.explainers.coalitions import Values, Weighed, coalition_values, weighed_values
from probe.explainers.shapley import KernelShap
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, Presence
from probe.tensors import exact, generator, spans

Rows = Float64[Tensor, "rows numbers"]
Drawn = Float64[Tensor, "draws numbers"]
Gains = Float64[Tensor, "coalitions numbers numbers"]
Presents = Float64[Tensor, "coalitions numbers"]

_RIDGE = 1e-9  # of correlations: columns that are sums of others are no error
_NEAR = 1e-9  # by which distances differ that are equal but for rounding
_ENTRIES = 2**22  # numbers that are computed together, 32 MiB


@dataclass(frozen=True, kw_only=True)
class ConditionalShap(KernelShap):
    """Shapley values whose absent features are drawn given the present ones (arXiv:1903.10464).

    `KernelShap` takes absent features from any reference row, also where that makes a row that cannot be, such as a
    child with a pension. Here the value of a coalition is the output where absent features have values that go with the
    present ones. `nearest` takes them from the reference rows that are nearest in the present features, by differences
    in standard deviations of the reference, of token ids by how many are others; all that are as near as the last of
    them count too. `kernel` weighs reference rows by exp(-D^2 / (2 bandwidth^2)) with the paper's distance (section
    3.3): D^2 is the squared Mahalanobis distance in the present features, by the covariance of the reference, over
    their number (of those that are no sums of others); the nearest rows that have `share` of the weight are kept.
    `gaussian` draws absent features from the normal distribution with mean and covariance of the reference, given the
    present ones; draws leave the bounds of the space, are not rounded, and are the same for all coalitions and
    examples. Both suit numbers alone.

    A feature that the model does not use then has a value where it tells of one that it uses; a feature gets 0 where it
    tells of nothing. Values are in output units and sum to output(input) - mean output(references). They are exact in
    the coalitions, or have standard errors, as those of `KernelShap`; how far few neighbours or draws are from the true
    distribution is not in these errors. A few hundred reference rows are needed, for `gaussian` and `kernel` more
    than there are features.

    Raises:
        RangeError: if there are fewer coalitions than two per feature, or three with `until_top`; with `interactions`,
            than two per pair of features.
        Unsupported: if the space has no reference; with `gaussian` and `kernel`, if numbers are missing, a feature is a
            category, or inputs are token ids.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import ConditionalShap
    >>> both = torch.tensor([[0.0, 0.0], [1.0, 1.0]])  # the second feature always equals the first
    >>> model = Model(forward=lambda x: torch.stack([4 * x[:, 0], 0 * x[:, 0]], 1), space=Space(reference=both))
    >>> ConditionalShap(neighbours=1)(model, torch.ones(1, 2), torch.tensor([0])).values  # they share 4 - 2
    tensor([[1., 1.]])
    """

    given: Literal["nearest", "kernel", "gaussian"] = param(
        "nearest", "where absent features come from, given the present ones"
    )
    neighbours: int = param(10, "of nearest: reference rows; those as near as the last count too", low=1, high=10**6)
    bandwidth: float = param(0.1, "of kernel: the distance at which a weight has fallen to exp(-1/2)", above=0)
    share: float = param(0.95, "of kernel: the share of the weight that the rows kept have", above=0, high=1)
    draws: int = param(50, "of gaussian: draws for each coalition, half of them mirrored", low=2, high=10**5)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        if self.given != "nearest":
            self._refuse_all_but_numbers(model, inputs)
        return super().attribute(model, inputs, targets)

    def active(self, model: Model, inputs: Inputs) -> Active:
        """All, as also a feature that equals the references may tell of others; one row alone tells nothing."""
        if len(model.space.references(inputs)) == 1:
            return super().active(model, inputs)
        home = exact(inputs.device)
        return torch.ones(len(inputs), model.space.feature_count(inputs), dtype=torch.bool, device=home)

    def outputs(self, model: Model, inputs: Inputs, targets: Labels, masks: Presence) -> Values:
        """The mean output of each coalition given its features."""
        if self.given == "gaussian":
            return self._gaussian(model, inputs, targets, masks)
        weigh: _Nearest | _Kernel = _Nearest(model, inputs, masks, self.neighbours)
        if self.given == "kernel":
            weigh = _Kernel(model, inputs, masks, self.bandwidth, self.share)
        return weighed_values(model, inputs, targets, masks, self.output, weigh)

    def _gaussian(self, model: Model, inputs: Inputs, targets: Labels, masks: Presence) -> Values:
        home = exact(inputs.device)
        references = model.space.references(inputs).flatten(1).to(home).double()
        ends = masks.all(1) | ~masks.any(1)
        values = torch.zeros(len(inputs), len(masks), dtype=torch.float64, device=home)
        values[:, ends.to(home)] = coalition_values(model, inputs, targets, masks[ends.to(masks.device)], self.output)
        kept = model.space.coordinate_mask(masks[~ends].to(inputs.device), inputs[:1]).flatten(1).to(home)
        inner, drawn = (~ends).nonzero()[:, 0].to(home), self._drawn(references)
        size = max(1, model.rows_per_pass(inputs) // len(drawn))
        for some in spans(len(inner), size):
            gains = _gains(references, kept[some])
            for at, row in enumerate(inputs.flatten(1).to(drawn)):
                # A joint draw, moved by how far its present features are from the row's: a draw given these.
                moved = drawn + torch.einsum("td,ced->cte", row - drawn, gains)
                shown = torch.where(kept[some][:, None], row, moved).to(inputs).reshape(-1, *inputs.shape[1:])
                found = model.target_outputs(shown, targets[at].expand(len(shown)), self.output)
                values[at, inner[some]] = found.to(values).view(-1, len(drawn)).mean(1)
        return values

    def _drawn(self, references: Rows) -> Drawn:
        """Draws from the normal distribution of the references, each with its mirror image around the mean."""
        away = references - references.mean(0)
        sizes, axes = torch.linalg.eigh(away.T @ away / max(1, len(away) - 1))
        source = generator(self.seed, torch.device("cpu"))
        noise = torch.randn((self.draws + 1) // 2, len(sizes), generator=source, dtype=torch.float64)
        moved = noise.to(references) * sizes.clamp(min=0).sqrt() @ axes.T
        return references.mean(0) + torch.cat([moved, -moved])

    def _refuse_all_but_numbers(self, model: Model, inputs: Inputs) -> None:
        asks = f'{self.name()} with given="{self.given}" computes with covariances of numbers'
        if not inputs.is_floating_point():
            raise Unsupported(f'{asks}, and {model.name} reads {inputs.dtype}; set given="nearest"')
        refuse_missing(self, inputs)
        refuse_missing(self, model.space.references(inputs))
        kinds = getattr(model.space.form_of(inputs), "kinds", ())
        if "category" in kinds:
            name = model.space.feature_names(inputs)[kinds.index("category")]
            raise Unsupported(f'{asks}, and {name!r} is a category; set given="nearest"')


class _Nearest:
    """Which references go with each coalition of some inputs: those nearest in its features, with equal weights."""

    def __init__(self, model: Model, inputs: Inputs, masks: Presence, count: int) -> None:
        self.space, self.inputs, self.references = model.space, inputs, model.space.references(inputs)
        self.present = masks.to(exact(inputs.device)).double()
        self.count = min(count, len(self.references))
        if inputs.is_floating_point():
            mean = self.references.nanmean(0)
            spread = ((self.references - mean) ** 2).nanmean(0).nan_to_num(0.0).sqrt()
            self.spread = torch.where(spread > 0, spread, 1.0)

    def __call__(self, rows: slice, some: slice) -> Weighed:
        one, other = self.inputs[rows][:, None], self.references[None]
        if self.inputs.is_floating_point():
            far = ((one - other) / self.spread) ** 2
            # Where one of both is missing they differ, by a standard deviation; where both are they are equal.
            far = torch.where(one.isnan() & other.isnan(), 0.0, far.nan_to_num(nan=1.0))
        else:
            far = (one != other).float()
        apart = self.space.by_feature(far.flatten(0, 1)).to(self.present).view(far.shape[0], len(self.references), -1)
        distance = self.present[some] @ apart.mT
        last = distance.kthvalue(self.count, dim=2, keepdim=True).values
        near = (distance <= last * (1 + _NEAR) + _NEAR**2).double()
        return near / near.sum(2, keepdim=True)


class _Kernel:
    """How much each reference counts for a coalition: by its Mahalanobis distance in the features that are present."""

    def __init__(self, model: Model, inputs: Inputs, masks: Presence, bandwidth: float, share: float) -> None:
        home = exact(inputs.device)
        self.references = model.space.references(inputs).flatten(1).to(home).double()
        self.inputs = inputs.flatten(1).to(home).double()
        self.alike, self.spread = _correlations(self.references)
        self.present = model.space.coordinate_mask(masks.to(inputs.device), inputs[:1]).flatten(1).to(home).double()
        self.bandwidth, self.share = bandwidth, share
        few = self.present.shape[1] * self.present.numel() <= _ENTRIES
        self.inverses = self._inverses(self.present) if few else None

    def __call__(self, rows: slice, some: slice) -> Weighed:
        away = (self.inputs[rows][:, None] - self.references) / self.spread
        pairs = away.flatten(0, 1)
        present = self.present[some]
        inverses = self._inverses(present) if self.inverses is None else self.inverses[some]
        distance = present.new_empty(len(present), len(pairs))
        for part in spans(len(present), max(1, _ENTRIES // pairs.numel())):
            distance[part] = ((pairs @ inverses[part]) * pairs).sum(2)
        # As many as are no sums of others: the trace of a projection.
        count = (inverses * self.alike).sum((1, 2)).round()[:, None]
        distance = distance.clamp(min=0) / count.clamp(min=1)
        fallen = (distance / (-2 * self.bandwidth**2)).view(len(present), *away.shape[:2]).transpose(0, 1)
        # Only ratios count: far from all references the nearest would be rounded to 0 too.
        weights = (fallen - fallen.amax(2, keepdim=True)).exp()
        ordered = weights.sort(dim=2, descending=True).values
        reached = ordered.cumsum(2) >= self.share * ordered.sum(2, keepdim=True) * (1 - _NEAR)
        last = ordered.gather(2, reached.int().argmax(2, keepdim=True))
        weights = torch.where(weights >= last * (1 - _NEAR), weights, 0.0)
        return weights / weights.sum(2, keepdim=True)

    def _inverses(self, present: Presents) -> Gains:
        """The inverse covariance of the present numbers of each coalition; 0 for the others, and where none varies."""
        inside = self.alike * present[:, :, None] * present[:, None]
        return torch.linalg.pinv(inside, rtol=_RIDGE, hermitian=True)


def _correlations(references: Rows) -> tuple[Tensor, Tensor]:
    """Correlations of all numbers, and their standard deviations; 1 for those that do not vary."""
    away = references - references.mean(0)
    spread = away.square().mean(0).sqrt()
    spread = torch.where(spread > 0, spread, 1.0)
    return (away / spread).T @ (away / spread) / len(away), spread


def _gains(references: Rows, kept: Presence) -> Gains:
    """How far each number moves by one that is present, in the regression of all numbers on the present ones."""
    alike, spread = _correlations(references)
    present = kept.double()
    inside = alike * present[:, :, None] * present[:, None] + torch.diag_embed(1 - present + _RIDGE)
    found = torch.linalg.solve(inside, (alike * present[:, None]).mT).mT
    return found * spread[:, None] / spread
