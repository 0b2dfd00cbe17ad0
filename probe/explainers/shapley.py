"""Shapley values of features, by a weighted regression over coalitions."""

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from probe.contracts import Explainer, Need, Sampled
from probe.errors import RangeError
from probe.explainers.alike import Active, differs_from_reference
from probe.explainers.coalitions import Values, coalition_values, every_subset, solve, to_coordinates
from probe.explainers.even import Interactions, even_fit, exact_interactions
from probe.explainers.neighbours import Apart, distances
from probe.explainers.odd import Fit, Pairs, odd_fit
from probe.explainers.pairs import allocate, draw, pairs_of
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, PerExample, PerFeature, Presence
from probe.statistics import top_confidence
from probe.tensors import exact, generator, spans

Weights = Float64[Tensor, " coalitions"]

DOUBT = 0.05  # with which the largest features are decided
_SMALL, _DRAWN = 2**12 - 2, 1000  # default coalitions: all up to the first number, else the second
_ENTRIES = 2**22  # size of the normal matrices that are solved together, 32 MiB


@dataclass(frozen=True, kw_only=True)
class KernelShap(Explainer):
    """Each feature's mean contribution over all orders in which features can appear (arXiv:1705.07874).

    The value of a coalition of features is the output averaged over all rows of the space's reference (the background),
    which fill in the absent features. Values are in output units and sum to output(input) - mean output(references).

    Values are exact where all coalitions are evaluated, which is the default for up to 12 features. Otherwise they are
    estimated from coalitions drawn in complementary pairs (arXiv:2012.01536), spread over the sizes by the square root
    of the Shapley kernel, halfway between sampling by the kernel and by leverage (arXiv:2410.01917). All examples share
    one draw. The regression on them has all products of three features besides single features, with a ridge penalty
    that each example's errors at left-out pairs choose, at no further evaluation: it is closer to the values than one
    on single features (arXiv:2602.01399), and exact for games of order 4 or less once pairs outnumber the products by
    5. Of images and series, products of neighbours are penalised less than others. Standard errors are over draws; they
    are 0 where all left-out pairs are predicted to 1e-5 of the largest, which says that the values are exact as far as
    any pair tells. A feature that equals its reference gets exactly 0. Identical masked rows are evaluated once.

    With `until_top`, coalitions are doubled, from `coalitions` or eight per feature, until the features with the
    largest absolute values are decided with 95 % confidence, or there are `max_coalitions`.
    `Attribution.top_confidence` tells the examples where they are not decided, as where two values are equal.

    With `interactions`, the same coalitions give the Shapley interaction index of each pair of features too
    (doi:10.1007/s001820050125), at no further evaluation: how much more the two bring together than each alone, with
    standard errors over draws, exact where all coalitions are evaluated. `Attribution.interactions` is their table.

    Raises:
        RangeError: if there are fewer coalitions than two per feature, or three with `until_top`; with `interactions`,
            than two per pair of features.
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import KernelShap
    >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1], torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 2)))
    >>> found = KernelShap()(model, torch.tensor([[1.0, 0.5]]), torch.tensor([0]))
    >>> found.values.round(decimals=4)
    tensor([[1., 1.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"
    sums_by_construction: ClassVar[bool] = True

    coalitions: int = param(
        0,
        "coalitions evaluated besides the empty and the full one; 0: all for up to 12 features, else 1000",
        low=0,
        high=10**7,
    )
    seed: int = param(0, "seed of the sampled coalitions", low=0)
    until_top: int = param(0, "draw until so many largest features are decided; 0: draw `coalitions`", low=0)
    max_coalitions: int = param(8000, "coalitions of an example at most, where until_top is set", low=1, high=10**7)

    interactions: bool = param(False, "tell the interaction of each pair of features too")

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        if self.interactions and self.until_top:
            raise RangeError(f"{self.name()} draws for interactions or until values are decided; set until_top=0")
        features, home = model.space.feature_count(inputs), exact(inputs.device)
        budget = self.coalitions or (_SMALL if 2**features - 2 <= _SMALL else _DRAWN)
        active = self.active(model, inputs)
        if self.until_top and 2**features - 2 > (self.coalitions or 8 * features):
            found = self._until_decided(model, inputs, targets, active.cpu())
            both = (to_coordinates(part.to(home), model.space, inputs) for part in (found.values, found.errors))
            return Sampled(*both)
        needed = min(2 * features, 2**features - 2)
        if budget < needed:
            raise RangeError(
                f"{type(self).__name__}.coalitions = {budget} is too few for {features} features; set at least "
                f"{needed}, or form fewer features by Space(features=...)"
            )
        masks, weights = (part.to(home) for part in shapley_design(features, budget, self.seed))
        values = self.outputs(model, inputs, targets, masks)
        if len(masks) == 2**features:
            whole = to_coordinates(_regress(masks, weights, values, active), model.space, inputs)
            if not self.interactions:
                return whole
            pairs = exact_interactions(masks, values, active)
            return Sampled(whole, torch.zeros_like(whole), pairs.values, pairs.errors)
        # On the CPU, so that a device is waited for once.
        apart = distances(model.space, inputs[:1].cpu())
        found = _odd_regression(features, budget // 2, self.seed, values.cpu(), active.cpu(), apart)
        spread = [to_coordinates(part.to(home), model.space, inputs) for part in (found.values, found.errors)]
        if self.interactions:
            pairs = _even_regression(features, budget // 2, self.seed, values.cpu(), active.cpu())
            return Sampled(spread[0], spread[1], pairs.values.to(home), pairs.errors.to(home))
        # With fewer, single features are all drawn, and too little else to tell how far it is off.
        return Sampled(*spread) if 2 * (budget // 2) >= 3 * features else spread[0]

    def active(self, model: Model, inputs: Inputs) -> Active:
        """Which features of each example can have a value other than 0."""
        return differs_from_reference(model.space, inputs)

    def outputs(self, model: Model, inputs: Inputs, targets: Labels, masks: Presence) -> Values:
        """The value of each coalition of each example."""
        return coalition_values(model, inputs, targets, masks, self.output)

    def _until_decided(self, model: Model, inputs: Inputs, targets: Labels, active: Active) -> Fit:
        """Draw twice as many coalitions for those examples whose largest features are not decided yet."""
        features = active.shape[1]
        looks = [min(max(self.coalitions or 8 * features, 3 * features), self.max_coalitions)]
        if looks[0] < 3 * features:
            raise RangeError(
                f"{type(self).__name__}.max_coalitions = {self.max_coalitions} is too few for {features} features; "
                f"set at least {3 * features}"
            )
        most = min(self.max_coalitions, 2**features - 2)
        while looks[-1] < most:
            looks.append(min(2 * looks[-1], most))
        signs, sizes = _growing(features, looks[-1] // 2, self.seed)
        ends = torch.tensor([[False], [True]]).expand(2, features)
        total = self._values(model, inputs, targets, ends).diff(dim=1)[:, 0] / 2
        odd, drawn = torch.zeros(len(inputs), len(signs), dtype=total.dtype), torch.zeros(len(signs), dtype=torch.bool)
        values, errors = torch.zeros(active.shape, dtype=total.dtype), torch.zeros(active.shape, dtype=total.dtype)
        rows, apart = torch.arange(len(inputs)), distances(model.space, inputs[:1].cpu())
        for look in looks:
            new = ~drawn & _among_first(sizes, _allocate(features, look // 2))
            drawn = drawn | new
            asked = rows.to(inputs.device)
            both = self._values(model, inputs[asked], targets[asked], torch.cat([signs[new] > 0, signs[new] < 0]))
            odd[rows[:, None], new.nonzero()[:, 0]] = (both[:, : int(new.sum())] - both[:, int(new.sum()) :]) / 2
            found = odd_fit(
                _weighed(features, signs[drawn], sizes[drawn]), odd[rows][:, drawn], total[rows], active[rows], apart
            )
            values[rows], errors[rows] = found.values, found.errors
            # Each look may decide wrongly, so they share the doubt that is left.
            doubt = torch.tensor([
                1 - top_confidence(values[row, active[row]], errors[row, active[row]], self.until_top) for row in rows
            ])  # fmt: skip
            rows = rows[doubt > DOUBT / len(looks)]
            if not len(rows):
                break
        return Fit(values, errors)

    def _values(self, model: Model, inputs: Inputs, targets: Labels, masks: Presence) -> Values:
        return self.outputs(model, inputs, targets, masks.to(exact(inputs.device))).cpu()


@lru_cache(maxsize=2)
def shapley_design(features: int, budget: int, seed: int) -> tuple[Presence, Weights]:
    """The coalitions to evaluate, the empty one first and the full one last, and their regression weights.

    The result is cached: do not modify it.
    """
    if features == 1 or 2**features - 2 <= budget:
        return _all_coalitions(features)
    return _drawn_coalitions(features, budget // 2, generator(seed, torch.device("cpu")))


def _all_coalitions(features: int) -> tuple[Presence, Weights]:
    masks = every_subset(features)
    weight = [1.0, *(1 / (comb(features, s) * s * (features - s)) for s in range(1, features)), 1.0]
    return masks, torch.tensor(weight, dtype=torch.float64)[masks.sum(1)]


def _drawn_coalitions(features: int, pairs: int, source: torch.Generator) -> tuple[Presence, Weights]:
    """Random coalitions and their complements; the drawn ones of one size share the total weight of that size."""
    masks, weights = [torch.zeros(1, features, dtype=torch.bool)], [torch.ones(1, dtype=torch.float64)]
    for size, count in enumerate(_allocate(features, pairs), start=1):
        if count:
            drawn = draw(features, size, count, source)
            masks += [drawn, ~drawn]
            weights.append(torch.full((2 * count,), _kernel(features, size) / count, dtype=torch.float64))
    masks.append(torch.ones(1, features, dtype=torch.bool))
    return torch.cat(masks), torch.cat([*weights, torch.ones(1, dtype=torch.float64)])


def _odd_regression(
    features: int, pairs: int, seed: int, values: Values, active: Active, apart: Apart | None = None
) -> Fit:
    """Shapley values and their standard errors, from the values of the drawn coalitions."""
    drawn, where = _drawn_pairs(features, pairs, seed)
    odd, total = (values[:, where[0]] - values[:, where[1]]) / 2, (values[:, -1] - values[:, 0]) / 2
    return odd_fit(drawn, odd, total, active, apart)


def _even_regression(features: int, pairs: int, seed: int, values: Values, active: Active) -> Interactions:
    """Interactions and their standard errors, from the values of the drawn coalitions."""
    drawn, where = _drawn_pairs(features, pairs, seed)
    even, ends = (values[:, where[0]] + values[:, where[1]]) / 2, (values[:, -1] + values[:, 0]) / 2
    return even_fit(drawn, even, ends, active)


@lru_cache(maxsize=2)
def _drawn_pairs(features: int, pairs: int, seed: int) -> tuple[Pairs, tuple[Tensor, Tensor]]:
    """The drawn coalitions, and where they and their complements are among all."""
    masks, _ = shapley_design(features, 2 * pairs, seed)
    counts = torch.tensor(_allocate(features, pairs))
    sizes = torch.arange(1, len(counts) + 1).repeat_interleave(counts)
    # The complements of each size follow its coalitions, and the empty coalition is before all.
    first = 1 + torch.arange(pairs) + (counts.cumsum(0) - counts).repeat_interleave(counts)
    second = first + counts.repeat_interleave(counts)
    return _weighed(features, masks[first].double() * 2 - 1, sizes), (first, second)


def _growing(features: int, pairs: int, seed: int) -> tuple[Tensor, Tensor]:
    """Signs and sizes of so many drawn pairs, of which the first of each size are a smaller draw."""
    source, counts = generator(seed, torch.device("cpu")), _allocate(features, pairs)
    drawn = [draw(features, size, count, source) for size, count in enumerate(counts, start=1) if count]
    sizes = torch.arange(1, len(counts) + 1).repeat_interleave(torch.tensor(counts))
    return torch.cat(drawn).double() * 2 - 1, sizes


def _among_first(sizes: Tensor, counts: list[int]) -> Tensor:
    """Which pairs are among the first `counts` of their size."""
    place = torch.arange(len(sizes)) - torch.searchsorted(sizes, sizes)
    return place < torch.tensor(counts)[sizes - 1]


def _weighed(features: int, signs: Tensor, sizes: Tensor) -> Pairs:
    """Drawn pairs; those of one size share the kernel weight of that size."""
    counts = torch.bincount(sizes, minlength=features // 2 + 1)
    room = [pairs_of(features, size) for size in range(1, features // 2 + 1)]
    weights = torch.tensor([_kernel(features, size) for size in range(1, features // 2 + 1)], dtype=torch.float64)
    available = torch.tensor(room, dtype=torch.float64)[sizes - 1]
    return Pairs(signs, weights[sizes - 1] / counts[sizes], sizes, available)


def _allocate(features: int, pairs: int) -> list[int]:
    """How many pairs to draw of each size 1, 2, ... up to half the features, at most as many as there are."""
    sizes = range(1, features // 2 + 1)
    room = [pairs_of(features, size) for size in sizes]
    wish = [_kernel(features, size) ** 0.5 for size in sizes]
    # A few random pairs may leave the fit ill-conditioned. All single features always determine it.
    return allocate(room, wish, pairs, {0} if 2 * pairs < 3 * features else set())


def _kernel(features: int, size: int) -> float:
    """The total Shapley kernel weight of each size up to a factor; at half the features, of half the coalitions.

    Both coalitions of a pair have the same weight.
    """
    return (0.5 if 2 * size == features else 1.0) / (size * (features - size))


def _regress(masks: Presence, weights: Weights, values: Values, active: Active) -> PerFeature:
    """Weighted least squares of the coalition values for each example, constrained to sum(values) = full - empty.

    The full coalition is a row of the regression too. The constraint fits it exactly, so it changes nothing, but it
    keeps the normal matrix regular with a single feature.
    """
    present = masks.double()
    weighted = present * weights[:, None]
    normal, gain = weighted.T @ present, values - values[:, :1]
    right = gain @ weighted
    rows = spans(len(values), max(1, _ENTRIES // normal.numel()))
    return torch.cat([_constrained(normal, right[r], gain[r, -1], active[r]) for r in rows])


def _constrained(normal: Tensor, right: PerFeature, total: PerExample, active: Active) -> PerFeature:
    """Solve each example's normal equations for the active features, with values that sum to `total`."""
    unit = torch.eye(len(normal), dtype=normal.dtype, device=normal.device)
    own = torch.where(active[:, :, None] & active[:, None, :], normal, unit)
    ones = active.to(normal.dtype)
    free, tilt = solve(own, torch.stack([right * ones, ones], dim=-1), "raise coalitions").unbind(-1)
    # Where no feature is active both sums are 0, and so are the values.
    excess = (free.sum(1) - total) / tilt.sum(1).clamp(min=torch.finfo(tilt.dtype).tiny)
    return free - tilt * excess[:, None]
