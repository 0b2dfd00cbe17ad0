"""Interactions of pairs from the even part of a game, (v(S) + v(complement of S)) / 2, on which alone they depend.

Written in products of signs, +1 for a present feature and -1 for an absent one, that part has products of two, four,
... features. The Shapley interaction index of a pair (doi:10.1007/s001820050125) is the sum of 4 / (size - 1) times the
coefficient of each product that the pair is in. The regression here has all products of two features, and all of four
with a ridge penalty, which each example's errors at left-out pairs of coalitions choose. It asks the model nothing: the
odd part of the same coalitions gives the Shapley values.
"""

from dataclasses import dataclass
from math import factorial, inf

import torch
from jaxtyping import Float64
from torch import Tensor

from probe.errors import RangeError
from probe.explainers.alike import Active
from probe.explainers.coalitions import Values
from probe.explainers.odd import PENALTIES, SAME, SPARE, Pairs, PerPair
from probe.shapes import PerExample, Presence

Square = Float64[Tensor, "batch features features"]
Signs = Float64[Tensor, "pairs features"]

_COLUMNS = 512  # for products of four features


@dataclass(frozen=True, eq=False)
class Interactions:
    """The interaction of each pair of features, symmetric with 0 on the diagonal, and its standard error."""

    values: Square
    errors: Square


def exact_interactions(masks: Presence, values: Values, active: Active) -> Interactions:
    """The Shapley interaction indices, from the values of all coalitions."""
    features = masks.shape[1]
    size, present = masks.sum(1).tolist(), masks.double()

    def weight(of: int) -> float:
        """Of a coalition of this size without the pair, among all of them."""
        if not 0 <= of <= features - 2:
            return 0.0
        return factorial(of) * factorial(features - of - 2) / factorial(features - 1)

    both, one, none = (present.new_tensor([weight(each - held) for each in size]) for held in (2, 1, 0))
    found = []
    for row in values.double():
        products = present.T @ (present * (row * (both + 2 * one + none))[:, None])
        alone = present.T @ (row * (one + none))
        found.append(products - alone[:, None] - alone + (row * none).sum())
    return _among(torch.stack(found), active)


def even_fit(pairs: Pairs, even: PerPair, ends: PerExample, active: Active) -> Interactions:
    """Fit the even part of each example's game, given at the pairs and as `ends` at all features and none. On the CPU.

    Raises:
        RangeError: if there are too few pairs of coalitions for all pairs of features.
    """
    features = active.shape[1]
    values = torch.zeros(len(even), features, features, dtype=torch.float64)
    errors = torch.zeros_like(values)
    unseen = 1 - torch.bincount(pairs.sizes)[pairs.sizes] / pairs.available  # pairs of coalitions that were not drawn
    kinds, which = torch.unique(active, dim=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        columns, rows = kind.nonzero()[:, 0], (which == number).nonzero()[:, 0]
        if len(columns) > 1:
            found = _fit(pairs.signs[:, columns], unseen, even[rows], ends[rows], features)
            at = rows[:, None, None], columns[:, None], columns
            values[at], errors[at] = found.values, found.errors
    return Interactions(values, errors)


def _among(values: Square, active: Active, errors: Square | None = None) -> Interactions:
    """Without what is no pair, or of a feature that equals its reference."""
    kept = active[:, :, None] & active[:, None] & ~torch.eye(active.shape[1], dtype=torch.bool, device=active.device)
    return Interactions(torch.where(kept, values, 0.0), torch.zeros_like(values) if errors is None else errors)


def _fit(drawn: Signs, unseen: Tensor, even: PerPair, ends: PerExample, features: int) -> Interactions:
    """The same for examples of which the same features differ from the reference."""
    drawn = torch.cat([drawn, torch.ones_like(drawn[:1])]) * torch.cat([drawn[:, :1], torch.ones_like(drawn[:1, :1])])
    signs, group = torch.unique(drawn, dim=0, return_inverse=True)
    first = torch.full((len(signs),), len(group)).scatter_reduce(0, group, torch.arange(len(group)), "amin")
    target, unseen = torch.cat([even, ends[:, None]], 1)[:, first], torch.cat([unseen, unseen.new_zeros(1)])[first]
    count = signs.shape[1]
    one, two = torch.triu_indices(count, count, 1)
    if len(signs) == 2 ** (count - 1):  # every pair of coalitions there is
        masks = torch.cat([signs, -signs]) > 0
        return exact_interactions(masks, target.repeat(1, 2), torch.ones(len(target), count, dtype=torch.bool))
    terms = torch.cat([torch.ones_like(signs[:, :1]), signs[:, one] * signs[:, two]], 1)
    if len(signs) < terms.shape[1] + SPARE:
        raise RangeError(
            f"{len(one)} interactions of {features} features need {2 * (terms.shape[1] + SPARE)} coalitions at least, "
            f"and {2 * (len(signs) - 1)} are there; raise coalitions, or form fewer features by "
            "Space(features=...)"
        )
    slopes = torch.linalg.pinv(terms)
    columns, shares = _fours(signs, one, two)
    rest = columns - terms @ (slopes @ columns)
    sizes, turn = torch.linalg.eigh(rest.T @ rest)
    kept = sizes > 1e-9 * columns.square().sum().clamp(min=1e-300)
    sizes, turn = sizes[kept], turn[:, kept]
    basis = rest @ turn / sizes.sqrt()
    shrunk = sizes / (sizes + torch.tensor(PENALTIES)[:, None].double() * sizes.sum() / len(signs))
    taken = (terms * slopes.T).sum(1) + shrunk @ (basis**2).T
    left, spare = (1 - taken)[:, None], len(signs) - terms.shape[1] - shrunk.sum(1)
    away = target - target @ slopes.T @ terms.T
    off = away - (shrunk[:, None] * (away @ basis)) @ basis.T
    off = torch.where(left > 1e-10, off / left.clamp(min=1e-10), 0.0)
    exact = (off.abs().amax(2) <= SAME * target.abs().amax(1)) & (spare >= SPARE)[:, None]
    score = torch.where(exact, -1.0, (off**2).sum(2))
    score[spare < SPARE] = inf
    best = score.argmin(0)
    values, errors = (torch.zeros(len(target), count, count, dtype=torch.float64) for _ in range(2))
    free = (shares - 4 * slopes[1:] @ columns) @ turn / sizes.sqrt()
    for number in torch.unique(best).tolist():
        rows = (best == number).nonzero()[:, 0]
        gain = 4 * slopes[1:] + (free * shrunk[number]) @ basis.T
        spread = ((off[number, rows] ** 2 * unseen) @ (gain**2).T).sqrt() * ~exact[number, rows, None]
        for into, found in ((values, target[rows] @ gain.T), (errors, spread)):
            into[rows[:, None], one, two] = into[rows[:, None], two, one] = found
    return Interactions(values, errors)


def _fours(signs: Signs, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """Products of four features at each pair of coalitions, and what each column adds to the interactions.

    Columns span those of the products at some of the pairs of coalitions, however many products there are.
    """
    count = signs.shape[1]
    if count < 4:
        return signs[:, :0], signs.new_zeros(len(one), 0)
    some = signs[:: -(-len(signs) // _COLUMNS)]

    def kernel(of: Signs) -> Tensor:
        alike = of @ some.T
        return (alike**4 - (6 * count - 8) * alike**2 + 3 * count**2 - 6 * count) / 24

    left = some.sum(1, keepdim=True) - some[:, one] - some[:, two]
    inside = some[:, one] * some[:, two] * (left**2 - (count - 2)) / 2
    square = kernel(some)
    factor = torch.linalg.cholesky(square + 1e-9 * square.diagonal().mean() * torch.eye(len(some)).to(square))
    columns, shares = (
        torch.linalg.solve_triangular(factor, part.T, upper=False).T for part in (kernel(signs), 4 / 3 * inside.T)
    )
    return columns, shares
