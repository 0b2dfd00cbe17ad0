"""Shapley values from the odd part of a game, (v(S) - v(complement of S)) / 2, on which alone they depend.

Written in products of signs, +1 for a present feature and -1 for an absent one, that part has products of one, three,
five, ... features, and each product shares its coefficient equally among its features. The regression here has all
products of one feature, and all of three with a ridge penalty, which each example's errors at left-out pairs choose.
The products of three cost no evaluation of the model, and values stay consistent whatever the penalty. Of images and
series, the penalty on products of neighbours is smaller than on others.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, inf

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.explainers.alike import Active
from probe.explainers.coalitions import solve
from probe.explainers.neighbours import Apart, Threes, near_threes, products_of
from probe.shapes import PerExample, PerFeature
from probe.tensors import spans

Signs = Float64[Tensor, "pairs features"]
Columns = Float64[Tensor, "pairs columns"]
Shares = Float64[Tensor, "features columns"]
PerPair = Float64[Tensor, "batch pairs"]

PENALTIES = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, inf)  # relative to the mean square of a pair's products
SAME, SPARE = 1e-5, 5  # an exact fit: error at left-out pairs, relative to the largest value; pairs beyond the terms
_PRODUCTS = 512  # columns for products of three features, one each where there are no more products than pairs
_COLUMNS, _SHARE = 128, 8  # else so many columns, or one for every eighth pair: more bring no value closer
_NEAR_COLUMNS = 200  # at least so many where some features are neighbours
_ENTRIES = 2**24  # of the columns, or of the errors at left-out pairs, held at once: 128 MiB


@dataclass(frozen=True, eq=False)
class Pairs:
    """Coalitions that were drawn, each with its complement."""

    signs: Signs  # +1 where a feature is present in the coalition, -1 where it is in the complement
    weights: Float64[Tensor, " pairs"]
    sizes: Int[Tensor, " pairs"]
    available: Float64[Tensor, " pairs"]  # how many pairs of that size there are


@dataclass(frozen=True, eq=False)
class Fit:
    """Values of features and their standard errors, which are 0 where the fit predicts all left-out pairs."""

    values: PerFeature
    errors: PerFeature


def odd_fit(pairs: Pairs, odd: PerPair, total: PerExample, active: Active, apart: Apart | None = None) -> Fit:
    """Fit the odd part of each example's game, given at the pairs and as `total` at the full coalition. On the CPU.

    `apart` says of images and series how far features are apart.
    """
    values, errors = torch.zeros(active.shape, dtype=odd.dtype), torch.zeros(active.shape, dtype=odd.dtype)
    kinds, which = torch.unique(active, dim=0, return_inverse=True)
    for number, kind in enumerate(kinds.tolist()):
        columns, own = active.new_tensor(kind).nonzero()[:, 0], (which == number).nonzero()[:, 0]
        if not len(columns):
            continue
        regression = _regression(pairs, tuple(kind), apart)
        for span in spans(len(own), max(1, _ENTRIES // (len(PENALTIES) * len(pairs.signs)))):
            rows = own[span]
            found = regression.fit(odd[rows], total[rows])
            values[rows[:, None], columns], errors[rows[:, None], columns] = found.values, found.errors
    return Fit(values, errors)


class Regression:
    """The regression for examples whose same features differ from the reference: all that does not depend on values."""

    def __init__(self, pairs: Pairs, some: tuple[bool, ...], apart: Apart | None = None) -> None:
        own = torch.tensor(some)
        signs = pairs.signs[:, own]
        self.turned = signs[:, 0]  # a pair and its mirror image are one
        signs, self.group = torch.unique(signs * self.turned[:, None], dim=0, return_inverse=True)
        drawn = torch.arange(len(self.group))
        self.first = torch.full((len(signs),), len(drawn)).scatter_reduce(0, self.group, drawn, "amin")
        told = signs.amin(1) < 0  # the pair of all features and none is the constraint
        self.pairs, self.count = pairs, int(told.sum())
        self.whole = self.count == 2 ** (signs.shape[1] - 1) - 1  # every pair there is
        weights = torch.zeros(len(signs), dtype=signs.dtype).index_add_(0, self.group, pairs.weights)
        weights = torch.where(told, _shapley_kernel(signs) if self.whole else weights, 0.0)
        self.share = torch.where(told[self.group], pairs.weights / weights[self.group], 0.0)
        self.unseen = 1 - torch.bincount(pairs.sizes)[pairs.sizes] / pairs.available
        self.root = (weights / weights.sum().clamp(min=1e-300) * len(weights)).sqrt()
        self.tilt = signs.mean(1)
        # Coefficients that sum to `total` are equal ones plus some that sum to 0, for which signs are centred.
        self.singles = self.root[:, None] * (signs - self.tilt[:, None])
        gram = self.singles.T @ self.singles
        gram = gram + (gram.trace() / signs.shape[1] ** 2 or 1.0)
        self.slopes = solve(gram, self.singles.T, "raise coalitions")
        columns, shares = (
            (signs[:, :0], signs[:0].T)
            if self.whole
            else _triples(signs, self.tilt, None if apart is None else apart[own][:, own])
        )
        columns = self.root[:, None] * columns
        alone = columns - self.singles @ (self.slopes @ columns)
        sizes, turn = torch.linalg.eigh(alone.T @ alone)
        kept = sizes > 1e-11 * columns.square().sum()
        self.sizes, turn = sizes[kept], turn[:, kept]
        self.basis = alone @ turn / self.sizes.sqrt()
        self.shares = (shares - 2 * self.slopes @ columns) @ turn / self.sizes.sqrt()
        self.shrunk = self.sizes / (
            self.sizes + torch.tensor(PENALTIES)[:, None] * self.sizes.sum() / max(1, self.count)
        )
        taken = (self.singles * self.slopes.T).sum(1) + self.shrunk @ (self.basis**2).T
        self.left = (1 - taken)[:, None]  # how much of a pair's value the fit leaves to itself, for each penalty
        self.spare = self.count - signs.shape[1] + 1 - self.shrunk.sum(1)

    def fit(self, odd: PerPair, total: PerExample) -> Fit:
        """Values, by the penalty with the smallest error at left-out pairs."""
        target = self.root * (odd[:, self.first] * self.turned[self.first] - self.tilt * total[:, None])
        rest = target - target @ self.slopes.T @ self.singles.T
        off = rest - (self.shrunk[:, None] * (rest @ self.basis)) @ self.basis.T
        off = torch.where(self.left > 1e-10, off / self.left.clamp(min=1e-10), 0.0)
        scale = torch.maximum(odd.abs().amax(1), total.abs())
        worst = torch.where(self.root > 0, off.abs() / self.root.clamp(min=1e-300), 0.0).amax(2)
        exact = (worst <= SAME * scale) & (self.spare >= SPARE)[:, None] | self.whole
        score = torch.where(exact, -1.0, (off**2).sum(2))
        if self.spare[0] < SPARE:
            score[0] = inf
        best = score.argmin(0)
        values = torch.zeros(len(odd), len(self.slopes), dtype=odd.dtype)
        errors = torch.zeros_like(values)
        for number in torch.unique(best).tolist():
            rows = (best == number).nonzero()[:, 0]
            gain = 2 * self.slopes + (self.shares * self.shrunk[number]) @ self.basis.T
            values[rows] = target[rows] @ gain.T + 2 * total[rows, None] / len(gain)
            errors[rows] = self._variance(gain, off[number, rows]).sqrt() * ~exact[number, rows, None]
        return Fit(values, errors)

    def _variance(self, gain: Tensor, off: PerPair) -> PerFeature:
        """The variance of values over draws: pairs of a size that is drawn whole add none, others as left out."""
        by = gain[:, self.group] * self.share
        return off[:, self.group] ** 2 @ (by**2 * self.unseen).T


@lru_cache(maxsize=2)
def _regression(pairs: Pairs, some: tuple[bool, ...], apart: Apart | None) -> Regression:
    return Regression(pairs, some, apart)


def _triples(signs: Signs, tilt: Tensor, apart: Apart | None) -> tuple[Columns, Shares]:
    """Products of three features at each pair, less what the constraint fixes, and what each adds to the values."""
    features, every = signs.shape[1], comb(signs.shape[1], 3)
    fitting = max(1, _ENTRIES // len(signs))
    if every <= min(_PRODUCTS, len(signs), fitting):
        of = torch.tensor(list(combinations(range(features), 3)), dtype=torch.long).view(-1, 3)
        return products_of(signs, of) - tilt[:, None], _shared(of, features)
    near = None if apart is None else near_threes(apart, fitting // 2)
    # The span of the products at some pairs is that of their kernel there, however many products there are.
    most = min(max(_NEAR_COLUMNS if near else _COLUMNS, len(signs) // _SHARE), _PRODUCTS, fitting)
    chosen = torch.arange(min(most, len(signs))) * len(signs) // min(most, len(signs))  # spread over all
    some, low, full = signs[chosen], tilt[chosen], _kernel(signs, signs.new_ones(1, features))
    columns = _kernel(signs, some) - tilt[:, None] * full[chosen].T - full * low + every * tilt[:, None] * low
    others = ((some.sum(1, keepdim=True) - some) ** 2 - (features - 1)) / 2
    inside = some * others - low[:, None] * comb(features - 1, 2)
    shares = 2 / 3 * inside.T - 2 / features * (full[chosen, 0] - every * low)
    if near:
        of, weights = near
        products = products_of(signs, of) - tilt[:, None]
        # Neighbours weigh as much as all products together, which costs little where others interact.
        weighed = (products[chosen] * (every * weights / weights.sum())).T
        columns, shares = columns + products @ weighed, shares + _shared(of, features) @ weighed
    square = columns[chosen]
    factor = torch.linalg.cholesky(square + 1e-9 * square.diagonal().mean() * torch.eye(len(some)).to(square))
    shares = torch.linalg.solve_triangular(factor, shares.T, upper=False).T
    if len(some) == len(signs):
        return factor, shares
    return torch.linalg.solve_triangular(factor, columns.T, upper=False).T, shares


def _shared(of: Threes, features: int) -> Shares:
    """What each product of three features adds to the values, of which the constraint takes an equal part of each."""
    inside = torch.zeros(len(of), features, dtype=torch.float64).scatter_(1, of, 1.0)
    return 2 / 3 * inside.T - 2 / features


def _shapley_kernel(signs: Signs) -> Float64[Tensor, " pairs"]:
    features = signs.shape[1]
    present = (signs > 0).sum(1).tolist()
    return signs.new_tensor([1 / max(1, comb(features, size) * size * (features - size)) for size in present])


def _kernel(one: Signs, other: Float64[Tensor, "others features"]) -> Float64[Tensor, "pairs others"]:
    """The sum over all products of three features of their values at two pairs."""
    alike = one @ other.T
    return (alike**3 - (3 * one.shape[1] - 2) * alike) / 6
