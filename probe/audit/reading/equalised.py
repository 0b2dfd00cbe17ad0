"""A threshold for each group: what it costs, and which thresholds would bring a rate of the groups together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.reading.groups import RATES
from probe.audit.reading.thresholds import Cut, decided_at, members, required, subject
from probe.errors import RangeError
from probe.names import nearest
from probe.statistics import Estimate, paired_shares

ROUNDING = 1e-12  # of the difference of two rates
GRID = tuple(round(at / 100, 2) for at in range(1, 100))  # thresholds that are tried


@dataclass(frozen=True, eq=False)
class Price:
    """What thresholds change against the audited one."""

    accuracy: float  # over all rows, at these thresholds
    audited: float
    difference: Estimate  # of the two, over the same rows, with a 95 % interval
    changed: Mapping[str, int]  # of each group the rows that are decided otherwise


@dataclass(frozen=True, eq=False)
class Equalised:
    """The thresholds that bring one rate of the groups together."""

    thresholds: Mapping[str, float]  # of each group that was moved, or kept as it was
    gap: float  # between the highest and the lowest rate of these groups, at these thresholds
    audited: float  # the same gap at the audited threshold
    within: float  # the gap that counts as none: one row of the smallest of these groups
    small: tuple[str, ...]  # groups with too few rows behind the rate, which keep the audited threshold


def price(bundle: Bundle, attribute: str, threshold: float | Mapping[str, float]) -> Price:
    """What a threshold, or one for each group, costs in accuracy.

    Raises:
        RangeError: as `recut`.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.price(read("runs/adult-mlp"), "sex", {"Female": 0.3}).difference  # doctest: +SKIP
    """
    known = required(bundle, attribute)
    labels = np.asarray(subject(bundle, attribute)[0].labels)
    before, after = (decided_at(bundle, attribute, at) for at in (known.audited, threshold))
    changed = {name: int((before != after)[rows].sum()) for name, rows in members(bundle, attribute).items()}
    was, is_ = before == labels, after == labels
    return Price(float(is_.mean()), float(was.mean()), paired_shares(is_, was), changed)


def equalised(bundle: Bundle, attribute: str, rate: str) -> Equalised:
    """Thresholds, one for each group, at which a rate of the groups is the same, or as near as whole percents bring it.

    Of those whose rates lie within one row of the smallest group of each other, the most accurate. Groups with too few
    rows behind the rate to be compared keep the audited threshold. They are chosen on these very rows, on which they
    look better than they are. The idea is Hardt, Price and Srebro's (arXiv:1610.02413), without chance in a decision.

    `rate` is such as "tpr" (equal opportunity) or "selection_rate" (demographic parity).

    Raises:
        RangeError: as `recut`, or if there is no such rate of groups.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.equalised(read("runs/adult-mlp"), "sex", "tpr").thresholds  # doctest: +SKIP
    """
    known = required(bundle, attribute)
    shares = [name for name, each in RATES.items() if each.unit == "share"]
    if rate not in shares:
        raise RangeError(f"{rate!r:.60} is not a rate of groups{nearest(rate, shares)}; there are {', '.join(shares)}")
    return bundle.derived(("equalised", attribute, rate), lambda: _equalised(bundle, attribute, rate, known))


def _equalised(bundle: Bundle, attribute: str, rate: str, known: Cut) -> Equalised:
    counts, cuts = _counts(bundle, attribute, known)
    own, smallest = cuts.index(known.audited), bundle.manifest.plan.bias.min_group_size
    behind = {name: int(sum(each[cell][own] for cell in RATES[rate].cells)) for name, each in counts.items()}
    small = tuple(name for name, n in behind.items() if n < smallest)
    names = [name for name in counts if name not in small]
    found = np.array([_share(counts[name], rate) for name in names]).reshape(len(names), len(cuts))
    right = np.array([counts[name]["tn"] + counts[name]["tp"] for name in names]).reshape(found.shape)
    if len(names) < 2:
        return Equalised(dict.fromkeys(names, known.audited), float("nan"), float("nan"), float("nan"), small)
    within = 1 / min(behind[name] for name in names)
    best = _together(found, right, np.abs(np.array(cuts) - known.audited), within)
    at = dict(zip(names, best, strict=True))
    gaps = [float(np.ptp([found[group, column] for group, column in enumerate(chosen)])) for chosen in
            (best, [own] * len(names))]  # fmt: skip
    return Equalised({name: cuts[column] for name, column in at.items()}, gaps[0], gaps[1], within, small)


def _counts(
    bundle: Bundle, attribute: str, known: Cut
) -> tuple[dict[str, dict[str, NDArray[np.int64]]], tuple[float, ...]]:
    """The four counts of each group at each threshold, and the thresholds."""
    answers, _ = subject(bundle, attribute)
    classes, named = answers.task.names, bundle.manifest.plan.bias.positive
    index = classes.index(named) if named else 1
    cuts = tuple(sorted({*GRID, known.audited}))
    chosen = np.array([decided_at(bundle, attribute, at) == index for at in cuts])
    true, found = np.asarray(answers.labels) == index, {}
    for name, rows in members(bundle, attribute).items():
        yes, no = chosen[:, rows & true].sum(1), chosen[:, rows & ~true].sum(1)
        found[name] = {"tp": yes, "fn": int((rows & true).sum()) - yes, "fp": no, "tn": int((rows & ~true).sum()) - no}
    return found, cuts


HITS = {
    "selection_rate": ("tp", "fp"),
    "tpr": ("tp",),
    "fpr": ("fp",),
    "ppv": ("tp",),
    "accuracy": ("tp", "tn"),
}


def _share(counts: Mapping[str, NDArray[np.int64]], rate: str) -> NDArray[np.float64]:
    hits, rows = (sum(counts[cell] for cell in cells) for cells in (HITS[rate], RATES[rate].cells))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits, dtype=float) / np.asarray(rows, dtype=float)


def _together(
    found: NDArray[np.float64], right: NDArray[np.int64], away: NDArray[np.float64], within: float
) -> list[int]:
    """The column of each group at the most accurate thresholds whose rates are so near each other, or as near as any.

    Of equally accurate ones those count that are the least `away` from the audited threshold.
    """
    best: tuple[int, float] | None = None
    lowest = np.unique(found[np.isfinite(found)])
    above = np.where(found >= lowest[:, None, None], found, np.inf)  # (lowest, groups, thresholds)
    width = max(within, float((above.min(2).max(1) - lowest).min())) + ROUNDING
    columns: list[int] = []
    for least in lowest:
        there = (found >= least) & (found <= least + width)
        if not there.any(1).all():
            continue
        worth = np.where(there, right, -1)
        far = np.where(worth == worth.max(1, keepdims=True), away, np.inf)
        mine = (int(worth.max(1).sum()), -float(far.min(1).sum()))
        if best is None or mine > best:
            best, columns = mine, [int(at) for at in far.argmin(1)]
    return columns
