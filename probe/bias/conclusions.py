"""The findings of a bias audit: one per headline gap, and one about groups with too few rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from probe.bias.counts import Table
from probe.bias.disparities import Disparity
from probe.bias.means import MEANS
from probe.bias.power import POWER
from probe.bias.rates import RATES, Quantity
from probe.bias.settings import Settings
from probe.bias.strata import GAP_OF, METRICS, Metric
from probe.bias.validation import Favourable, Scale
from probe.finding import Finding, Status
from probe.formatting import number

QUANTITIES: Mapping[str, Quantity] = {**RATES, **MEANS}
Outcome = Favourable | Scale  # the favourable outcome, or for a regression the numbers that are compared
# With more intersections than this, each headline has one finding over all of them; the tables list each.
LISTED = 10
# A status less likely than this counts as one that the sample could not reach.
HARDLY = 0.05


def conclude(
    tables: Sequence[Table], disparities: Sequence[Disparity], small: pd.DataFrame, outcome: Outcome,
    settings: Settings,
) -> list[Finding]:  # fmt: skip
    """The findings of an audit: attributes first, then intersections, then small groups."""
    order = {table.attribute: table.order for table in tables}
    crossed = [row for row in disparities if order[row.attribute] > 1]
    many = sum(depth > 1 for depth in order.values()) > LISTED
    listed = [row for row in disparities if order[row.attribute] == 1 or not many]
    findings = [_headline(row, outcome, settings) for row in listed]
    if many:
        for metric in METRICS:
            rows = [row for row in crossed if row.metric == metric]
            findings += [_summed(rows, outcome, settings)] if rows else []
    thresholds = {row.metric: row.threshold for row in disparities}
    return findings + _too_small(small, thresholds, settings, numbers=isinstance(outcome, Scale))


def _headline(row: Disparity, outcome: Outcome, settings: Settings) -> Finding:
    metric = METRICS[row.metric]
    check = f"{metric.label} by {row.attribute}"
    if row.status == "not run":
        return Finding(
            aspect="bias",
            check=check,
            status="not run",
            threshold=row.threshold,
            direction=row.direction,
            unit=metric.unit,
            note=row.reason,
        )
    return Finding(
        aspect="bias",
        check=check,
        status=row.status,
        estimate=_number(row.estimate),
        low=_number(row.low),
        high=_number(row.high),
        n=row.n,
        threshold=row.threshold,
        direction=row.direction,
        unit=metric.unit,
        method=_method(row, outcome, settings),
        seed=settings.seed,
        note="; ".join(_note(row, outcome, settings)),
    )


def _summed(rows: Sequence[Disparity], outcome: Outcome, settings: Settings) -> Finding:
    """One finding over many intersections, with the worst status among them."""
    ran = [row for row in rows if row.status != "not run"]
    of = {
        status: [row for row in rows if row.status == status] for status in ("fail", "inconclusive", "pass", "not run")
    }
    status: Status = (
        "fail" if of["fail"] else "not run" if not ran else "inconclusive" if len(of["pass"]) < len(rows) else "pass"
    )
    metric, first = METRICS[rows[0].metric], rows[0]
    worst = min(ran or rows, key=lambda row: (row.status != status, np.nan_to_num(_badness(row), nan=np.inf)))
    counted = ", ".join(f"{len(found)} {name}" for name, found in of.items() if found)
    failed = ", ".join(row.attribute for row in of["fail"][:LISTED])
    note = f"{len(rows)} intersections: {counted}" + (f"; failed: {failed}" if failed else "")
    note += " and more" if len(of["fail"]) > LISTED else ""
    if ran:
        note += "; " + "; ".join([f"the numbers are of {worst.attribute}", *_note(worst, outcome, settings)])
    return Finding(
        aspect="bias",
        check=f"{metric.label} by intersections of attributes",
        status=status,
        estimate=_number(worst.estimate),
        low=_number(worst.low),
        high=_number(worst.high),
        n=worst.n if ran else None,
        threshold=first.threshold,
        direction=first.direction,
        unit=metric.unit,
        method=_method(worst, outcome, settings) if ran else "",
        seed=settings.seed,
        note=note,
    )


def _badness(row: Disparity) -> float:
    """A sort key, the worst first: the end of the interval that can prove a gap."""
    return row.high if METRICS[row.metric].ratio else -row.low


def _note(row: Disparity, outcome: Outcome, settings: Settings) -> list[str]:
    ratio, least = METRICS[row.metric].ratio, settings.min_group_size
    parts = [row.reason] if row.reason else []
    if row.lowest is None:
        parts += [] if row.reason else [f"no difference between the groups compared in {_rates(row)}"]
    else:
        parts.append(f"widest in {row.rate}: {row.lowest} lowest, {row.highest} highest")
    if row.not_covered and row.compared != "all groups":
        held = row.low >= row.threshold if ratio else row.high <= row.threshold
        parts.append(f"no gap among {row.compared}" if held else f"too small and reported apart: {row.left_out}")
        parts.append(f"{row.not_covered} not covered")
        if not held:
            parts.append(f"with them {number(row.estimate_all_groups, METRICS[row.metric].unit)}")
    elif row.not_covered:
        parts.append(f"groups of fewer than {least} are compared too: {row.left_out}")
    parts.append(f"permutation p = {row.p_value:.4f}")
    parts.append(f"smallest group compared: {row.smallest_group}")
    if row.status == "inconclusive":
        parts += _power(row, METRICS[row.metric])
    if isinstance(outcome, Favourable) and outcome.assumed:
        parts.append(f"no favourable outcome was named; {outcome.value} is assumed")
    return parts


def _power(row: Disparity, metric: Metric) -> list[str]:
    """The power of the check: which gaps would have failed, and whether the sample could have passed."""
    what = metric.gap
    if np.isnan(row.would_fail):
        parts = [f"no {what} of {row.smallest_group} could have failed"]
    else:
        side, written = "or less " if metric.ratio else "", number(row.would_fail, metric.unit)
        parts = [f"a true {what} of {written} {side}in that group would have failed (power {POWER:.2g})"]
    if row.pass_chance < HARDLY:
        parts.append(f"this sample could not have passed, not even with {metric.equal}")
    else:
        parts.append(f"with {metric.equal} it passes with probability {row.pass_chance:.2f}")
    return parts


def _rates(row: Disparity) -> str:
    rates = METRICS[row.metric].rates
    return "true and false positive rate" if len(rates) > 1 else QUANTITIES[rates[0]].label


def _method(row: Disparity, outcome: Outcome, settings: Settings) -> str:
    if isinstance(outcome, Scale):
        return (
            f"largest difference between the means of two groups, over {row.compared}; threshold: "
            f"{outcome.at(settings.thresholds[row.metric])}; {settings.level:.0%} interval: its low end holds for all "
            "pairs of all groups at once (Bonferroni), its high end is of the widest pair (intersection-union); both "
            "are approximate (Student's t, widened for skewness, which a small group takes from all rows), and too "
            "short for a small group that is far more skewed than all rows together; "
            f"{settings.draws} permutations of group membership"
        )
    ratio = METRICS[row.metric].ratio
    statistic = "lowest over highest rate" if ratio else "largest difference between two groups"
    interval, proving, other = ("Donner-Zou", "high", "low") if ratio else ("Newcombe", "low", "high")
    return (
        f"{statistic}, over {row.compared}; favourable outcome: {outcome}; {settings.level:.0%} interval from "
        f"{interval} intervals of pairs: its {proving} end holds for all pairs of all groups at once (Bonferroni, "
        f"exact limits), its {other} end is of the widest pair (intersection-union); "
        f"{settings.draws} permutations of group membership"
    )


def _too_small(
    small: pd.DataFrame, thresholds: Mapping[str, float], settings: Settings, *, numbers: bool
) -> list[Finding]:
    """One finding on all groups with too few rows: a fail if a gap beyond the threshold was proved all the same."""
    if small.empty:
        return []
    shown = small[small["status"] == "fail"]
    groups = small[["attribute", "group"]].drop_duplicates()
    note = f"{_few(len(groups), 'group')} in {_few(groups['attribute'].nunique(), 'attribute')}"
    for name, part in (("shown all the same: ", shown), ("smallest: ", small)):
        if len(part):
            part = part.sort_values("low", ascending=False, kind="stable") if name.startswith("shown") else part
            texts = [f"{row['what']} ({row['attribute']})" for row in part.head(3).to_dict("records")]
            note += "; " + name + "; ".join(texts) + ("; and more" if len(part) > len(texts) else "")
            break
    check = f"groups of fewer than {settings.min_group_size} rows" + ("" if numbers else ", positives or negatives")
    what = "mean" if numbers else "rate"
    method = (
        f"a {what} needs {settings.min_group_size} behind it to enter a gap that can pass: an engineering threshold"
    )
    if shown.empty:
        return [Finding(aspect="bias", check=check, status="inconclusive", n=len(groups), method=method, note=note)]
    widest = max(shown.to_dict("records"), key=lambda row: float(row["low"]))
    return [
        Finding(
            aspect="bias",
            check=check,
            status="fail",
            estimate=abs(float(widest["gap"])),
            low=float(widest["low"]),
            high=float(widest["high"]),
            n=int(widest["n"]),
            threshold=thresholds[GAP_OF[widest["metric"]]],
            direction="at most",
            unit=METRICS[GAP_OF[widest["metric"]]].unit,
            method=f"{method}; the numbers are of {widest['group']} and {widest['against']} in {widest['attribute']}",
            note=note,
        )
    ]


def _few(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
