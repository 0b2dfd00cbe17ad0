"""How the model's answers differ between groups of people."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from probe import plots
from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.bias.means import MEANS
from probe.formatting import Measured, Unit, count, estimate, number
from probe.report.blocks import Badge, Block, Cell, Figure, Section, Table, Text, panel
from probe.report.sections.common import chapter, with_not_measured

DRAWN = 30  # groups in a figure; the table has all
SHOWN = ("selection_rate", "tpr", "fpr", *MEANS)


def section(bundle: Bundle) -> Section:
    """Rates, counts and gaps of each attribute."""
    blocks: list[Block] = []
    for order, attribute in enumerate(reading.attributes(bundle)):
        blocks.append(Text(f"By {attribute}", level=3))
        blocks += _attribute(bundle, attribute, order)
        blocks += _disparities(bundle, attribute)
        blocks += _small(bundle, attribute)
    plan = bundle.manifest.plan.bias
    named, assumed = reading.favourable(bundle.manifest)
    favoured = f"The favourable answer is {named}{f': {reading.ASSUMED}' if assumed else ''}." if named else ""
    return chapter(
        "bias",
        with_not_measured(bundle, "bias", blocks),
        named=favoured,
        hides=f"Groups with fewer than {plan.min_group_size} rows behind a rate are reported apart. This limit and "
        "the thresholds are engineering choices.",
    )


def _disparities(bundle: Bundle, attribute: str) -> list[Block]:
    found = reading.gaps(bundle, attribute)
    some = any(gap.left_out for gap in found)
    columns = (
        "measure", "status", "estimate", "threshold", "p", "would have failed", "n",
        "widest between", *(["not covered: too small"] if some else []),
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [
            gap.label, Badge(gap.status), gap.estimate, gap.threshold, gap.p, gap.would_fail, gap.n, gap.between,
            *([gap.left_out] if some else []),
        ]
        for gap in found
    ]  # fmt: skip
    caption = (
        f"Gaps by {attribute}, with 95 % intervals and permutation p-values. The end of an interval that can prove a "
        "gap holds for all pairs of groups of any size at once; the other end is that of the widest pair. "
        "Would have failed: the true gap (or ratio) of the smallest group compared that would have failed with a "
        "probability of 80 %. pp: percentage points."
    )
    return [Table(columns, rows, caption, numeric=columns[2:7])] if rows else []


def _small(bundle: Bundle, attribute: str) -> list[Block]:
    columns = ("group", "rate", "rests on", "status", "what its rows show")
    rows: list[list[Cell]] = [
        [few.group, few.rate, few.n, Badge(few.status), few.what] for few in reading.small_groups(bundle, attribute)
    ]
    caption = (
        f"Groups by {attribute} with too few rows, positives or negatives for a reliable rate. If "
        "such a group still proves a gap, the check fails."
    )
    file = "tables/bias_small_groups.csv"
    return [Table(columns, rows, caption, numeric=columns[2:3], folded=len(rows) > 5, file=file)] if rows else []


def _attribute(bundle: Bundle, attribute: str, order: int) -> list[Block]:
    smallest, groups = bundle.manifest.plan.bias.min_group_size, reading.groups(bundle, attribute)
    largest = sorted(range(len(groups)), key=lambda at: -groups[at]["n"])[:DRAWN]
    wide = max(len(str(groups[at]["group"])) for at in largest) > 18
    panels = []
    numbers, compared = reading.of_numbers(bundle), reading.compared_by(bundle)
    for rate in (rate for rate in SHOWN if rate in compared):
        found, label = [reading.rates(bundle, attribute, rate)[at] for at in largest], compared[rate].label
        ax = plots.forest(
            [each.group for each in found], *np.array([(each.value, each.low, each.high) for each in found]).T,
            counts=[each.n for each in found], faint=[each.small for each in found], title=label,
            unit=compared[rate].unit,
            ax=plots.new_axes(4.2 if wide else 3.3, 0.72 + 0.24 * max(len(found), 2)),
        )  # fmt: skip
        panels.append(panel(ax, f"{label} by {attribute}; the numbers are in the table.", f"forest-{order}-{rate}"))
    means = "Means by {}, in the unit of the answers, with 95 % intervals that hold for all groups at once; n is rows. "
    rates = "Rates by {}, with 95 % Wilson intervals of each group; n is the number of rows that a rate is a share of. "
    caption = (means if numbers else rates).format(attribute) + (
        f"Hollow and dotted: fewer than {smallest} rows, shown and not compared."
    )
    if len(groups) > len(largest):
        caption += f" The {len(largest)} largest of {len(groups)} groups are drawn."
    blocks: list[Block] = [
        Figure(panels, caption, (_means if numbers else _rates)(groups), size="half" if wide else "third"),
        *([] if numbers else [_more(groups)]),
    ]
    said = reading.accounting(bundle, attribute)
    return [*blocks, Text(said)] if said else blocks


def _rates(groups: Sequence[dict[str, Any]]) -> Table:
    columns = ("group", "n", "TN", "FP", "FN", "TP", "selection rate", "TPR", "FPR", "impact ratio")
    rows: list[list[Cell]] = [
        [
            str(g["group"]), *(count(g[c]) for c in ("n", "tn", "fp", "fn", "tp")),
            *(_rate(g, r, "share") for r in ("selection_rate", "tpr", "fpr")), _rate(g, "impact_ratio", "number"),
        ]
        for g in groups
    ]  # fmt: skip
    reference = next((str(g["reference"]) for g in groups if isinstance(g["reference"], str)), "")
    caption = "Counts and rates of each group, with 95 % intervals. Impact ratio: selection rate divided by that of "
    caption += reference or "the most selected group"
    caption += "; its interval is simultaneous, and holds for the ratio to the group that is truly selected most."
    return Table(columns, rows, caption, numeric=columns[1:], file="tables/bias_groups.csv")


def _means(groups: Sequence[dict[str, Any]]) -> Table:
    there = [name for name in MEANS if name in groups[0]]
    columns = ("group", "n", "mean label", *(MEANS[name].label for name in there))
    rows: list[list[Cell]] = [
        [str(g["group"]), count(g["n"]), number(g.get("mean_label")), *(_rate(g, name, "number") for name in there)]
        for g in groups
    ]
    caption = (
        "Means of each group in the unit of the answers, with approximate 95 % intervals that hold for all groups at "
        "once. Error: answer minus label; above 0 the answers for the group are too high."
    )
    return Table(columns, rows, caption, numeric=columns[1:], file="tables/bias_groups.csv")


def _more(groups: Sequence[dict[str, Any]]) -> Table:
    columns = ("group", "precision", "accuracy", "area under ROC", "calibration error")
    rows = [
        (
            str(g["group"]), _rate(g, "ppv", "share"), _rate(g, "accuracy", "share"), number(g.get("auc")),
            number(g.get("calibration_error"), "points"),
        )
        for g in groups
    ]  # fmt: skip
    return Table(
        columns, rows, "More rates of each group", numeric=columns[1:], folded=True, file="tables/bias_groups.csv"
    )


def _rate(group: dict[str, Any], name: str, unit: Unit) -> Measured:
    return estimate(group.get(name), group.get(f"{name}_low"), group.get(f"{name}_high"), unit)
