"""How the model's answers differ between groups of people."""

from typing import Any

import numpy as np
import pandas as pd

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import ASSUMED, CHAPTERS, favourable
from probe.bias.strata import unit_of
from probe.formatting import Measured, Unit, count, estimate, number, p_value, threshold, words
from probe.report.parts import Badge, Block, Cell, Figure, Section, Table, Text, panel
from probe.report.sections.common import chapter, records, with_absence

RATES = {
    "selection_rate": ("Selection rate", ("tn", "fp", "fn", "tp")),
    "tpr": ("True positive rate", ("fn", "tp")),
    "fpr": ("False positive rate", ("tn", "fp")),
}
DRAWN = 30  # groups in a figure; the table has all


def section(bundle: Bundle) -> Section:
    """Rates, counts and gaps of each attribute."""
    blocks: list[Block] = []
    if bundle.has("tables/bias_groups.csv"):
        groups, gaps = bundle.table("bias_groups"), bundle.table("bias_disparities")
        small = bundle.table("bias_small_groups") if bundle.has("tables/bias_small_groups.csv") else None
        for order, attribute in enumerate(dict.fromkeys(groups["attribute"])):
            blocks.append(Text(f"By {attribute}", level=3))
            blocks += _attribute(bundle, str(attribute), groups[groups["attribute"] == attribute], order)
            blocks += _disparities(gaps[gaps["attribute"] == attribute], str(attribute))
            if small is not None:
                blocks += _small(small[small["attribute"] == attribute], str(attribute))
    plan = bundle.manifest.plan.bias
    named, assumed = favourable(bundle.manifest)
    favoured = f" The favourable answer is {named}{f': {ASSUMED}' if assumed else ''}." if named else ""
    return chapter(
        "bias",
        with_absence(bundle, "bias", blocks),
        shows=CHAPTERS["bias"].shows + favoured,
        hides=f"A group with fewer than {plan.min_group_size} rows behind a rate is reported apart: an engineering "
        "choice, as are the thresholds.",
    )


def _disparities(gaps: pd.DataFrame, attribute: str) -> list[Block]:
    columns = (
        "measure", "status", "estimate", "asked", "p", "would have failed", "n",
        "widest between",
    )  # fmt: skip
    some = any(_text(gap["not_covered"]) for gap in records(gaps))
    rows: list[list[Cell]] = []
    for gap in records(gaps):
        unit = unit_of(str(gap["metric"]))
        between = f"{gap['lowest']} (lowest) and {gap['highest']} (highest)" if isinstance(gap["lowest"], str) else ""
        between = between or ("no difference" if gap["estimate"] == (unit == "number") else "")
        rate = f", {gap['rate']}" if between and isinstance(gap["rate"], str) else ""
        rows.append(
            [
                words(str(gap["metric"])),
                Badge(str(gap["status"])),
                estimate(gap["estimate"], gap["low"], gap["high"], unit),
                threshold(gap["threshold"], str(gap["direction"]), unit),
                p_value(gap["p_value"]),
                number(gap["would_fail"], unit),
                count(gap["n"]),
                between + rate or _text(gap["reason"]),
                *([_covered(gap)] if some else []),
            ]
        )
    caption = (
        f"Gaps by {attribute}, with 95 % intervals and permutation p-values. The end of an interval that proves a gap "
        "holds for all pairs of groups of any size at once; the other is that of the widest pair. "
        "Would have failed: the true gap (or ratio) of the smallest group compared that would have failed four times "
        "out of five. pp: percentage points."
    )
    return (
        [Table((*columns, *(["not covered: too small"] if some else [])), rows, caption, numeric=columns[2:7])]
        if rows
        else []
    )


def _covered(gap: dict[str, Any]) -> str:
    """What the estimate leaves out, and what it would be with it."""
    if not _text(gap["not_covered"]) or gap["compared"] == "all groups":
        return ""
    unit = unit_of(str(gap["metric"]))
    return f"{gap['left_out']}; with them {number(gap['estimate_all_groups'], unit)}"


def _small(small: pd.DataFrame, attribute: str) -> list[Block]:
    columns = ("group", "rate", "rests on", "status", "what was shown")
    rows: list[list[Cell]] = [
        [str(row["group"]), RATES[str(row["metric"])][0], count(row["n"]), Badge(str(row["status"])), str(row["what"])]
        for row in records(small)
    ]
    caption = (
        f"Groups by {attribute} with too few rows, positives or negatives behind a rate to be trusted. A gap of theirs "
        "that is shown all the same is a fail."
    )
    file = "tables/bias_small_groups.csv"
    return [Table(columns, rows, caption, numeric=columns[2:3], folded=len(rows) > 5, file=file)] if rows else []


def _attribute(bundle: Bundle, attribute: str, groups: pd.DataFrame, order: int) -> list[Block]:
    smallest = bundle.manifest.plan.bias.min_group_size
    drawn = groups.sort_values("n", ascending=False, kind="stable").head(DRAWN)
    wide = max(len(str(group)) for group in drawn["group"]) > 18
    panels = []
    for rate, (label, cells) in RATES.items():
        trials = drawn[list(cells)].sum(axis=1)
        ax = plots.forest(
            list(drawn["group"]), drawn[rate], drawn[f"{rate}_low"], drawn[f"{rate}_high"],
            counts=trials, faint=np.asarray(trials < smallest), title=label,
            ax=plots.new_axes(4.2 if wide else 3.3, 0.72 + 0.24 * max(len(drawn), 2)),
        )  # fmt: skip
        panels.append(panel(ax, f"{label} by {attribute}; the numbers are in the table.", f"forest-{order}-{rate}"))
    caption = (
        f"Rates by {attribute}, with 95 % Wilson intervals of each group; n is what a rate is a share of. "
        f"Hollow, dotted: fewer than {smallest}, shown and not compared."
    )
    if len(groups) > len(drawn):
        caption += f" The {len(drawn)} largest of {len(groups)} groups are drawn."
    blocks: list[Block] = [
        Figure(panels, caption, _rates(groups), size="half" if wide else "third"),
        _more(groups),
    ]
    rows = bundle.table("bias_row_accounting") if bundle.has("tables/bias_row_accounting.csv") else None
    if rows is not None and attribute in set(rows["attribute"]):
        row = records(rows[rows["attribute"] == attribute])[0]
        blocks.append(Text(_sentence(row) + (f" Note: {row['notice']}." if _text(row.get("notice")) else "")))
    return blocks


def _rates(groups: pd.DataFrame) -> Table:
    columns = ("group", "n", "TN", "FP", "FN", "TP", "selection rate", "TPR", "FPR", "impact ratio")
    rows: list[list[Cell]] = [
        [
            str(g["group"]), *(count(g[c]) for c in ("n", "tn", "fp", "fn", "tp")),
            *(_rate(g, r, "share") for r in ("selection_rate", "tpr", "fpr")), _rate(g, "impact_ratio", "number"),
        ]
        for g in records(groups)
    ]  # fmt: skip
    reference = next((str(g["reference"]) for g in records(groups) if isinstance(g["reference"], str)), "")
    caption = "Counts and rates of each group, with 95 % intervals. Impact ratio: selection rate over that of "
    caption += reference or "the most selected group"
    caption += "; its interval is simultaneous, and of the ratio to whichever group is truly selected most."
    return Table(columns, rows, caption, numeric=columns[1:], file="tables/bias_groups.csv")


def _more(groups: pd.DataFrame) -> Table:
    columns = ("group", "precision", "accuracy", "area under ROC", "calibration error")
    rows = [
        (
            str(g["group"]), _rate(g, "ppv", "share"), _rate(g, "accuracy", "share"), number(g.get("auc")),
            number(g.get("calibration_error"), "points"),
        )
        for g in records(groups)
    ]  # fmt: skip
    return Table(
        columns, rows, "More rates of each group", numeric=columns[1:], folded=True, file="tables/bias_groups.csv"
    )


def _rate(group: dict[str, Any], name: str, unit: Unit) -> Measured:
    return estimate(group.get(name), group.get(f"{name}_low"), group.get(f"{name}_high"), unit)


def _sentence(row: dict[str, Any]) -> str:
    return (
        f"Of {count(row['rows'])} rows, {count(row['used'])} are used; {count(row['unknown'])} name no group "
        "and are left out here."
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
