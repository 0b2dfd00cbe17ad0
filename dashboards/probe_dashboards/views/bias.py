"""Whose outcomes differ, by how much, and how sure that is."""

from typing import Any

import pandas as pd

from probe.audit import Bundle, reading
from probe.formatting import DASH, number
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.words import md, status, unbroken


def titles(bundle: Bundle) -> dict[str, str]:
    """What is measured of each group: its rates, or for a regression its means."""
    return {name: rate.titled for name, rate in reading.compared_by(bundle).items()}


def present(bundle: Bundle) -> bool:
    """Whether the audit compared groups."""
    return bool(reading.attributes(bundle))


def attributes(bundle: Bundle) -> dict[str, str]:
    """The attributes and their intersections: id to name."""
    return state.slugs(reading.attributes(bundle))


def favourable(bundle: Bundle) -> tuple[str, str]:
    """The favourable outcome, and a warning where the plan does not name one."""
    name, assumed = reading.favourable(bundle.manifest)
    return visible(name), f"This is {reading.ASSUMED}." if assumed else ""


def notice(bundle: Bundle, attribute: str) -> str:
    """How many rows name a group of an attribute, and what is odd about its groups."""
    return visible(reading.accounting(bundle, attributes(bundle)[attribute]))


def smallest(bundle: Bundle) -> int:
    """Groups with fewer rows behind a rate are reported apart."""
    return int(bundle.manifest.plan.bias.min_group_size)


def rates(bundle: Bundle, attribute: str, rate: str) -> pd.DataFrame:
    """One rate of each group, with its interval, its number of rows, and whether they are too few to compare."""
    found = reading.rates(bundle, attributes(bundle)[attribute], rate)
    lines = [(visible(each.group), each.value, each.low, each.high, each.n, each.small) for each in found]
    return pd.DataFrame(lines, columns=["group", "value", "low", "high", "n", "small"])


def counts(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The confusion counts and the rates of each group, as text."""
    own = attributes(bundle)[attribute]
    groups = reading.groups(bundle, own)
    columns: dict[str, list[Any]] = {
        "Group": [visible(row["group"]) for row in groups],
        "n": [int(row["n"]) for row in groups],
    }
    there = groups[0].keys() if groups else ()
    columns |= {name.upper(): [int(row[name]) for row in groups] for name in ("tn", "fp", "fn", "tp") if name in there}
    if "mean_label" in there:
        columns["Mean label"] = [number(row["mean_label"]) for row in groups]
    for name, rate in reading.compared_by(bundle).items():
        columns[rate.label] = [unbroken(each.written) for each in reading.rates(bundle, own, name)]
    return pd.DataFrame(columns)


def disparities(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The gaps of an attribute, ready for a table that reads Markdown."""
    lines = [
        (
            status(gap.status),
            _described(gap),
            unbroken(gap.estimate),
            gap.threshold or DASH,
            gap.p,
            gap.would_fail,
            gap.n,
        )
        for gap in reading.gaps(bundle, attributes(bundle)[attribute])
    ]
    names = ["Status", "Gap", "Estimate [95 % interval]", "Threshold", "p", "Would have failed", "n"]
    return pd.DataFrame(lines, columns=names)


def small(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The groups with too few rows for a reliable rate, and what their rows show all the same."""
    found = reading.small_groups(bundle, attributes(bundle)[attribute])
    rows = [(visible(few.group), few.rate, few.n, few.status, visible(few.what)) for few in found]
    return pd.DataFrame(rows, columns=["Group", "Rate", "n", "Status", "What its rows show"])


def _described(gap: reading.Gap) -> str:
    """The gap; below it in small print, the pair with the widest gap and the groups left out."""
    beneath = "; not covered, too small: ".join(md(part) for part in (gap.between, gap.left_out) if part)
    return f"{md(gap.label)}  \n:small[:grey[{beneath}]]" if beneath else md(gap.label)
