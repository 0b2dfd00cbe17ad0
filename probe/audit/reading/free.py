"""How right the answers are in a part of the rows that somebody names, against the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import special
from probe.audit.bundle import Bundle
from probe.audit.reading.kept import kept
from probe.audit.reading.sliced import mean_of, measured_by_row
from probe.bias.intervals import difference_interval
from probe.bias.proportions import two_proportions_p
from probe.errors import RangeError
from probe.names import nearest
from probe.statistics import Estimate, proportion

CATEGORIES = 50  # values of a feature that it can be asked for; of more it is no category

Bounds = tuple[float, float]  # both ends are within


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the rows against the rest: shares of right answers, or mean absolute errors of numbers."""

    rows: NDArray[np.int64]  # that are in it
    among: int  # rows of which it is known whether they are
    inside: Estimate
    outside: Estimate
    difference: Estimate  # the part minus the rest, with a 95 % interval
    p: float  # two-sided, of no difference: of two proportions, or Welch's t-test


def part(
    bundle: Bundle,
    groups: Mapping[str, str] | None = None,
    features: Mapping[str, str | Bounds] | None = None,
    name: str = "",
) -> Part:
    """The rows that meet all conditions, and how right the answers to them are.

    Groups are known of all rows, but features only of those that were explained, a random sample whose inputs the
    bundle keeps: with a condition on a feature only these are compared.

    Args:
        bundle: an audit.
        groups: by attribute, the group.
        features: by feature, its value in words, or the least and the largest number.
        name: of several labels or numbers the one that is judged.

    Raises:
        RangeError: if there is no such attribute or feature, or nothing tells which answers are right.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> bundle = read("runs/adult-mlp")  # doctest: +SKIP
        >>> reading.part(bundle, {"sex": "Female"}, {"age": (40, 60)}).difference  # doctest: +SKIP
    """
    seen = measured_by_row(bundle, name)
    if seen is None:
        raise RangeError("nothing tells which answers of this audit are right; give its task a tolerance")
    known, chosen = np.ones(len(seen), dtype=bool), np.ones(len(seen), dtype=bool)
    people = bundle.groups() if groups and bundle.has("tables/groups.csv") else pd.DataFrame()
    for attribute, group in (groups or {}).items():
        if attribute not in people:
            raise RangeError(f"{attribute!r:.60} is no attribute{nearest(attribute, list(map(str, people)))}")
        known &= people[attribute].notna().to_numpy()
        chosen &= (people[attribute] == group).to_numpy()
    if features:
        rows = bundle.arrays("instances")["rows"] if asked_features(bundle) else np.zeros(0, dtype=int)
        explained, meets = np.zeros(len(seen), dtype=bool), np.ones(len(seen), dtype=bool)
        explained[rows] = True
        for feature, wanted in features.items():
            meets[rows] &= _meets(_column(bundle, feature), wanted)
        known, chosen = known & explained, chosen & meets
    inside, outside = known & chosen, known & ~chosen
    return _compared(seen, inside, outside)


def asked_features(bundle: Bundle) -> dict[str, tuple[str, ...] | Bounds]:
    """The features that rows can be chosen by: the values in words that explained rows have, or the range of a number.

    Empty where the bundle keeps no inputs, or inputs are no tables.
    """
    return bundle.derived(("asked features",), lambda: _asked(bundle))


def _asked(bundle: Bundle) -> dict[str, tuple[str, ...] | Bounds]:
    found: dict[str, tuple[str, ...] | Bounds] = {}
    for feature, column in _columns(bundle).items():
        if column.dtype == float:
            found[feature] = float(column.min()), float(column.max())
        elif len(values := tuple(sorted(set(column.tolist())))) <= CATEGORIES:
            found[feature] = values
    return found


def _columns(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """The values of each feature of the explained rows: numbers, or words."""
    return bundle.derived(("columns",), lambda: _read(bundle))


def _read(bundle: Bundle) -> dict[str, NDArray[Any]]:
    names, shape = bundle.manifest.data.features, bundle.manifest.data.shape
    if len(shape) != 1 or not bundle.has("arrays/instances.npz") or not bundle.manifest.plan.keeps_inputs:
        return {}
    inputs = [kept(bundle, int(row)) for row in bundle.arrays("instances")["rows"]]
    words = [list(each.words) for each in inputs if each is not None]
    if not words or any(len(each) != len(names) for each in words):
        return {}
    table = np.array(words, dtype=object)
    return {name: _numbers(table[:, at]) for at, name in enumerate(names)}


def _numbers(words: NDArray[Any]) -> NDArray[Any]:
    """The words as numbers, if all are."""
    try:
        numbers = np.array([float(str(word).replace(",", "")) for word in words])
    except ValueError:
        return words
    return numbers if np.isfinite(numbers).all() else words


def _column(bundle: Bundle, feature: str) -> NDArray[Any]:
    found = _columns(bundle)
    if feature not in found:
        raise RangeError(
            f"{feature!r:.60} is no feature whose values the bundle keeps{nearest(feature, list(found))}; "
            f"there are {', '.join(list(found)[:20]) or 'none'}"
        )
    return found[feature]


def _meets(column: NDArray[Any], wanted: str | Bounds) -> NDArray[np.bool_]:
    if isinstance(wanted, str):
        return np.array([str(each) == wanted for each in column], dtype=bool)
    if column.dtype != float:
        raise RangeError(f"a range is of numbers, and the values here are words, such as {column[0]!r:.60}; name one")
    return np.asarray((column >= wanted[0]) & (column <= wanted[1]))


def _compared(seen: NDArray[Any], inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Part:
    one, other = seen[inside], seen[outside]
    rows, among = np.flatnonzero(inside), int(inside.sum() + outside.sum())
    none = Estimate(float("nan"), float("nan"), float("nan"), among)
    shares = seen.dtype == bool
    first, second = (_estimated(each, shares=shares) for each in (one, other))
    if not len(one) or not len(other):
        return Part(rows, among, first, second, none, float("nan"))
    value = first.value - second.value
    if shares:
        k1, n1, k2, n2 = (np.array([each]) for each in (one.sum(), len(one), other.sum(), len(other)))
        low, high = (float(each[0]) for each in difference_interval(k1, n1, k2, n2, 0.95))
        p = float(two_proportions_p(k1, n1, k2, n2)[0])
    else:
        low, high, p = _welch(one.astype(float), other.astype(float))
    return Part(rows, among, first, second, Estimate(value, low, high, among), p)


def _estimated(values: NDArray[Any], *, shares: bool) -> Estimate:
    if not len(values):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    return proportion(values) if shares else mean_of(values, least=0.0)


def _welch(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float, float]:
    """The 95 % interval of a difference of two means, and the p-value of none, by Welch's t."""
    if min(len(one), len(other)) < 2:
        return (float("nan"),) * 3
    parts = [float(each.var(ddof=1)) / len(each) for each in (one, other)]
    error, value = sum(parts) ** 0.5, float(one.mean() - other.mean())
    if error == 0:
        return value, value, float(value == 0)
    freedom = sum(parts) ** 2 / sum(p**2 / (len(each) - 1) for p, each in zip(parts, (one, other), strict=True))
    half = float(special.stdtrit(freedom, 0.975)) * error
    return value - half, value + half, float(2 * special.stdtr(freedom, -abs(value) / error))
