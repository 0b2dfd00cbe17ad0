"""The comparison of groups: rates of each group, gaps between groups, and groups left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from probe.audit.bundle import Bundle
from probe.bias.means import MEANS
from probe.bias.rates import RATES as MEASURED
from probe.bias.strata import METRICS, unit_of
from probe.formatting import Measured, Unit, count, defined, estimate, number, p_value, threshold, words


class Rate(NamedTuple):
    """A rate of a group, or a mean of its numbers."""

    label: str
    of: str  # the rows that it is a share of or a mean over
    cells: Sequence[str]  # the counts that add up to these rows
    unit: Unit = "share"

    @property
    def titled(self) -> str:
        """Its name, with the rows that it is of."""
        return f"{self.label} ({'share of' if self.unit == 'share' else 'over'} {self.of})"


CELLS = {
    "selection_rate": ("tn", "fp", "fn", "tp"),
    "tpr": ("fn", "tp"),
    "fpr": ("tn", "fp"),
    "ppv": ("fp", "tp"),
    "accuracy": ("tn", "fp", "fn", "tp"),
}
RATES = {name: Rate(MEASURED[name].label.capitalize(), MEASURED[name].unit, cells) for name, cells in CELLS.items()}
RATES |= {name: Rate(mean.label.capitalize(), mean.unit, ("n",), "number") for name, mean in MEANS.items()}


@dataclass(frozen=True, kw_only=True)
class GroupRate:
    """One rate of one group."""

    group: str
    value: float
    low: float
    high: float
    n: int  # the number of rows that it is a share of
    small: bool  # too few rows to compare
    unit: Unit = "share"

    @property
    def written(self) -> Measured:
        """The rate and its interval as text, the same on every page."""
        return estimate(self.value, self.low, self.high, self.unit)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A gap between groups as text, the same on every page."""

    label: str
    status: str
    estimate: Measured
    threshold: str
    p: str
    would_fail: str  # the true gap that would have failed with a probability of 80 %
    n: str
    between: str  # the groups with the widest gap, or why it was not measured
    left_out: str  # groups that are too small, and the gap with them; empty if there are none


@dataclass(frozen=True, kw_only=True)
class SmallGroup:
    """A rate of a group with too few rows to be reliable."""

    group: str
    rate: str
    n: str
    status: str
    what: str  # what its rows show all the same


def attributes(bundle: Bundle) -> list[str]:
    """The attributes whose groups were compared, and their intersections; once per label if there are several."""
    if not (bundle.has("tables/bias_groups.csv") and bundle.has("tables/bias_disparities.csv")):
        return []
    return list(bundle.derived(("attributes",), lambda: tuple(dict.fromkeys(_compared(bundle.table("bias_groups"))))))


def groups(bundle: Bundle, attribute: str) -> list[dict[str, Any]]:
    """The counts and rates of each group of an attribute, as the table has them."""
    return _rows(bundle, "bias_groups", attribute)


def compared_by(bundle: Bundle) -> dict[str, Rate]:
    """The rates that groups were compared by, or for a regression the means."""
    there = bundle.table("bias_groups").columns if attributes(bundle) else ()
    return {name: rate for name, rate in RATES.items() if name in there}


def of_numbers(bundle: Bundle) -> bool:
    """Whether means of numbers were compared instead of rates."""
    return any(rate.unit == "number" for rate in compared_by(bundle).values())


def rates(bundle: Bundle, attribute: str, rate: str) -> list[GroupRate]:
    """One rate of each group of an attribute."""
    return rates_of(groups(bundle, attribute), rate, bundle.manifest.plan.bias.min_group_size)


def rates_of(rows: Sequence[Mapping[str, Any]], rate: str, smallest: int) -> list[GroupRate]:
    """One rate of each group, from the rows of a table of groups."""
    found, unit = [], RATES[rate].unit
    for row in rows:
        n = int(sum(row[cell] for cell in RATES[rate].cells))
        value, low, high = (float(row[name]) for name in (rate, f"{rate}_low", f"{rate}_high"))
        found.append(
            GroupRate(group=str(row["group"]), value=value, low=low, high=high, n=n, small=n < smallest, unit=unit)
        )
    return found


def gaps(bundle: Bundle, attribute: str) -> list[Gap]:
    """The gaps between the groups of an attribute."""
    return gaps_of(_rows(bundle, "bias_disparities", attribute))


def gaps_of(rows: Sequence[Mapping[str, Any]]) -> list[Gap]:
    """The gaps between groups, from the rows of a table of disparities."""
    return [_gap(row, unit_of(str(row["metric"]))) for row in rows]


def small_groups(bundle: Bundle, attribute: str) -> list[SmallGroup]:
    """The rates of an attribute with too few rows to be reliable, and what the rows show all the same."""
    return [
        SmallGroup(
            group=str(row["group"]),
            rate=RATES[row["metric"]].label if row["metric"] in RATES else words(str(row["metric"])),
            n=count(row["n"]),
            status=str(row["status"]),
            what=_text(row["what"]),
        )
        for row in _rows(bundle, "bias_small_groups", attribute)
    ]


def accounting(bundle: Bundle, attribute: str) -> str:
    """The number of rows that name a group of an attribute, and a notice about its groups."""
    for row in _rows(bundle, "bias_row_accounting", attribute):
        rows, unknown, notice = count(row["rows"]), row["unknown"], _text(row.get("notice"))
        some = f"Of {rows} rows, {count(row['used'])} are used; {count(unknown)} name no group and are left out here."
        every = f"Each of the {rows} rows names a group." if row["rows"] > 1 else "There is one row."
        return f"{some if unknown or row['used'] < row['rows'] else every}{f' Note: {notice}.' if notice else ''}"
    return ""


def left_out(bundle: Bundle) -> list[str]:
    """A sentence for each attribute by which some rows name no group."""
    said = [
        f"{count(row['unknown'])} of {count(row['rows'])} rows name no group by {row['attribute']}: "
        "its comparisons leave them out"
        for row in _rows(bundle, "bias_row_accounting")
        if row["unknown"] > 0
    ]
    return list(dict.fromkeys(said))  # the same rows for each label


def _gap(row: Mapping[str, Any], unit: Unit) -> Gap:
    metric = str(row["metric"])
    lost = _text(row["left_out"]) if row["compared"] != "all groups" else ""
    again = number(row["estimate_all_groups"], unit)
    return Gap(
        label=METRICS[metric].label if metric in METRICS else words(metric),
        status=str(row["status"]),
        estimate=estimate(row["estimate"], row["low"], row["high"], unit),
        threshold=threshold(row["threshold"], str(row["direction"]), unit),
        p=p_value(row["p_value"]),
        would_fail=number(row["would_fail"], unit),
        n=count(row["n"]),
        between=_between(row),
        left_out=f"{lost}; with them {again}" if lost else "",
    )


def _between(row: Mapping[str, Any]) -> str:
    if lowest := _text(row["lowest"]):
        rate = _text(row["rate"])
        return f"{rate}{': ' if rate else ''}{lowest} lowest, {_text(row['highest'])} highest"
    if not defined(row["estimate"]):
        return _text(row["reason"])
    return "no difference" if row["estimate"] == (row["direction"] == "at least") else ""


def _rows(bundle: Bundle, name: str, attribute: str = "") -> list[dict[str, Any]]:
    if not bundle.has(f"tables/{name}.csv"):
        return []
    found = bundle.derived(("rows", name, attribute), lambda: _records(bundle.table(name), attribute))
    return [dict(row) for row in found]


def _records(table: pd.DataFrame, attribute: str) -> list[dict[str, Any]]:
    own = table[[name == attribute for name in _compared(table)]] if attribute else table
    return [{str(key): value for key, value in row.items()} for row in own.to_dict("records")]


def _compared(table: pd.DataFrame) -> list[str]:
    """The subject of each row: the attribute, after the label if there are several."""
    keys = [key for key in ("label", "attribute") if key in table]
    return [": ".join(map(str, row)) for row in table[keys].itertuples(index=False)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
