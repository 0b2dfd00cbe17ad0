"""Whose outcomes differ, by how much, and how sure that is."""

from typing import Any

import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.bias.rates import RATES
from probe.bias.strata import METRICS, unit_of
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.words import estimate, md, number, status, threshold

# What each rate is a share of.
TRIALS = {
    "selection_rate": ("tn", "fp", "fn", "tp"),
    "tpr": ("fn", "tp"),
    "fpr": ("tn", "fp"),
    "ppv": ("fp", "tp"),
    "accuracy": ("tn", "fp", "fn", "tp"),
}
RATE_TITLES = {name: f"{RATES[name].label.capitalize()} (share of {RATES[name].unit})" for name in TRIALS}


def present(bundle: Bundle) -> bool:
    """Whether the audit compared groups."""
    return bundle.has("tables/bias_groups.csv") and bundle.has("tables/bias_disparities.csv")


def attributes(bundle: Bundle) -> dict[str, str]:
    """The attributes and their intersections: id to name."""
    return state.slugs(list(bundle.table("bias_groups")["attribute"].drop_duplicates()))


def favourable(bundle: Bundle) -> tuple[str, str]:
    """The class that counts as the favourable outcome, and a warning where nobody named it."""
    name, assumed = reading.favourable(bundle.manifest)
    return visible(name), f"This is {reading.ASSUMED}." if assumed else ""


def notice(bundle: Bundle, attribute: str) -> str:
    """What is odd about the groups of an attribute, and how many rows name none."""
    frame = bundle.table("bias_row_accounting") if bundle.has("tables/bias_row_accounting.csv") else pd.DataFrame()
    for row in frame.to_dict("records"):
        if str(row["attribute"]) == attributes(bundle)[attribute]:
            unknown = f"{int(row['unknown']):,} of {int(row['rows']):,} rows name no group." if row["unknown"] else ""
            said = f"{visible(row['notice'])}." if pd.notna(row.get("notice")) and row.get("notice") else ""
            return " ".join(filter(None, (unknown, said)))
    return ""


def smallest(bundle: Bundle) -> int:
    """Groups with fewer rows behind a rate are reported apart."""
    return int(bundle.manifest.plan.bias.min_group_size)


def rates(bundle: Bundle, attribute: str, rate: str) -> pd.DataFrame:
    """One rate of each group, with its interval, what it rests on, and whether that is too little to compare."""
    frame = _groups(bundle, attribute)
    n = frame[list(TRIALS[rate])].sum(axis=1).astype(int)
    return pd.DataFrame(
        {
            "group": frame["group"].map(visible),
            "value": frame[rate].astype(float),
            "low": frame[f"{rate}_low"].astype(float),
            "high": frame[f"{rate}_high"].astype(float),
            "n": n,
            "small": n < smallest(bundle),
        }
    ).reset_index(drop=True)


def counts(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The confusion counts and the rates of each group, as they are read."""
    frame = _groups(bundle, attribute)
    columns = {"Group": frame["group"].map(visible), "n": frame["n"]}
    columns |= {name.upper(): frame[name] for name in ("tn", "fp", "fn", "tp")}
    for name in TRIALS:
        parts = zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
        columns[RATES[name].label.capitalize()] = pd.Series(
            [estimate(*part, "share") for part in parts], index=frame.index
        )
    return pd.DataFrame(columns).reset_index(drop=True)


def disparities(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The gaps of an attribute, ready for a table that reads Markdown."""
    frame = bundle.table("bias_disparities")
    own = frame[frame["attribute"].astype(str) == attributes(bundle)[attribute]].to_dict("records")
    lines = [
        (
            status(str(d["status"])),
            _described(d),
            estimate(d["estimate"], d["low"], d["high"], unit) if pd.notna(d["estimate"]) else md(d["reason"]),
            threshold(d["threshold"], str(d["direction"]), unit),
            formatting.p_value(d["p_value"]),
            number(d["would_fail"], unit),
            f"{int(d['n']):,}",
        )
        for d in own
        for unit in (unit_of(str(d["metric"])),)
    ]
    names = ["Status", "Gap", "Estimate [95 % interval]", "Asked", "p", "Would have failed", "n"]
    return pd.DataFrame(lines, columns=names)


def small(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The groups that are too small for a rate to be trusted, and what their samples have shown all the same."""
    columns = ["Group", "Rate", "n", "Status", "What its sample has shown"]
    if not bundle.has("tables/bias_small_groups.csv"):
        return pd.DataFrame(columns=columns)
    frame = bundle.table("bias_small_groups")
    own = frame[frame["attribute"].astype(str) == attributes(bundle)[attribute]].to_dict("records")
    rows = [
        (visible(r["group"]), RATES[r["metric"]].label, int(r["n"]), str(r["status"]), visible(r["what"])) for r in own
    ]
    return pd.DataFrame(rows, columns=columns)


def _described(row: dict[Any, Any]) -> str:
    """The gap, and beneath it in small between whom it is widest and who was left out."""
    name = md(METRICS[row["metric"]].label if row["metric"] in METRICS else row["metric"])
    if pd.isna(row["lowest"]):
        return name if pd.isna(row["estimate"]) else f"{name}  \n:small[:grey[no difference]]"
    detail = f"{md(row['rate'])}: {md(row['lowest'])} lowest, {md(row['highest'])} highest"
    if pd.notna(row["left_out"]) and row["left_out"] and row["compared"] != "all groups":
        detail += f"; not covered, too small: {md(row['left_out'])}"
    return f"{name}  \n:small[:grey[{detail}]]"


def _groups(bundle: Bundle, attribute: str) -> pd.DataFrame:
    frame = bundle.table("bias_groups")
    return frame[frame["attribute"].astype(str) == attributes(bundle)[attribute]]
