"""Groups with too few rows behind a rate, and the gaps that they prove all the same."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from probe.bias.counts import Table
from probe.bias.intervals import alpha_of_a_pair, could_show, difference_of, limits_of
from probe.bias.power import POWER, Question, failing_small
from probe.bias.rates import COMPARED, rates_of
from probe.bias.settings import Settings
from probe.bias.strata import GAP_OF, METRICS, Stratum, strata_of
from probe.bias.validation import Floats, Ints
from probe.formatting import number

NAN = float("nan")
COLUMNS = (
    "attribute", "metric", "group", "n", "rate", "status", "gap", "low", "high", "against", "would_fail", "what",
)  # fmt: skip


def shortages(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """A row per group and rate with fewer trials than `min_group_size`; none with a single group.

    `gap` is the group's rate minus that of the group `against`, the one from which it is most surely apart, else
    furthest; `low` and `high` bound its size. The low end holds for all pairs of the headline at once, and beyond the
    threshold the status is *fail*.
    """
    if len(table.names) < 2:
        return []
    names = rates_of(table, COMPARED)
    strata = dict(zip(names, strata_of(table, names), strict=True))
    rows: list[dict[str, Any]] = []
    for name, stratum in strata.items():
        if not stratum.trials.any() or not (stratum.trials < settings.min_group_size).any():
            continue
        metric = GAP_OF[name]
        sizes = [strata[rate].with_at_least(1).trials for rate in METRICS[metric].rates]
        usable = [n for n in sizes if len(n) > 1]
        alpha = alpha_of_a_pair(usable, settings.level) if usable else 1 - settings.level
        question = Question(settings.thresholds[metric], ratio=False, alpha=alpha, level=settings.level)
        common = {"attribute": table.attribute, "metric": name}
        rows += [common | row for row in _short(stratum, settings.min_group_size, question)]
    return sorted(rows, key=lambda row: (row["n"], row["group"]))


def _short(stratum: Stratum, min_group_size: int, question: Question) -> Iterator[dict[str, Any]]:
    k, n = stratum.counts
    few = np.flatnonzero(n < min_group_size)
    low, high, against = _widest(k, n, few, question)
    larger = _larger(n, few)
    possible = np.full(len(few), np.nan)
    for other in np.unique(larger):
        these = (larger == other) & (n[few] > 0)
        if n[other] > 0 and these.any():
            possible[these] = failing_small(n[few[these]], (int(k[other]), int(n[other])), question)
    for at, (group, beside, largest) in enumerate(zip(few.tolist(), against.tolist(), larger.tolist(), strict=True)):
        defined = n[group] > 0 and n[beside] > 0 and group != beside
        row = {
            "group": stratum.names[group],
            "n": int(n[group]),
            "rate": float(stratum.shares[group]),
            "status": "not run" if n[group] <= 1 else "inconclusive",
            "gap": float(stratum.shares[group] - stratum.shares[beside]) if defined else NAN,
            "low": float(low[at]) if defined else NAN,
            "high": float(high[at]) if defined else NAN,
            "against": stratum.names[beside] if defined else None,
            "would_fail": float(possible[at]),
        }
        row["status"] = "fail" if defined and low[at] > question.threshold else row["status"]
        yield row | {"what": _what(row, (stratum.names[largest], int(n[largest])), stratum)}


def _widest(k: Ints, n: Ints, few: Ints, question: Question) -> tuple[Floats, Floats, Ints]:
    """The sizes of the gap between each small group and the one that it is most surely apart from."""
    exact = question.alpha < 1 - question.level
    sure, own = (
        difference_of([part[few, None] for part in limits], [part[None] for part in limits])
        for limits in (limits_of(k, n, question.alpha, exact=exact), limits_of(k, n, 1 - question.level))
    )
    able = could_show(n[few, None], n[None], question.alpha) & (n > 0)
    shown = np.where(able, np.maximum(0.0, np.maximum(sure[0], -sure[1])), 0.0)
    rates = np.divide(k, n, out=np.full(len(n), np.nan), where=n > 0)
    apart = np.nan_to_num(np.abs(rates[few, None] - rates[None]), nan=-1.0)
    apart[np.arange(len(few)), few] = -1.0
    against = np.lexsort((np.broadcast_to(n, apart.shape), apart, shown), axis=1)[:, -1] if len(few) else few
    rows = np.arange(len(few))
    return shown[rows, against], np.maximum(-own[0], own[1])[rows, against], against


def _larger(n: Ints, few: Ints) -> Ints:
    """The largest other group of each."""
    first, second = np.argsort(-n, kind="stable")[:2]
    return np.asarray(np.where(few == first, second, first))


def _what(row: dict[str, Any], other: tuple[str, int], stratum: Stratum) -> str:
    name, label = row["group"], stratum.rate.label
    if not row["n"]:
        return f"no {stratum.rate.unit} in {name}: its {label} is undefined"
    count = f"{stratum.rate.count(int(row['n']))} in {name}"
    if row["status"] == "fail":
        return (
            f"{count}: a gap in {label} of {number(abs(row['gap']), 'points')} to {row['against']} was shown, "
            f"{number(row['low'], 'points')} or more"
        )
    held = f"against the {other[1]} of {other[0]}, power {POWER:.2g}"
    if np.isnan(row["would_fail"]):
        return f"{count}: no gap in {label} could have failed ({held})"
    return f"{count}: a gap in {label} of {number(row['would_fail'], 'points')} or more would have failed ({held})"
