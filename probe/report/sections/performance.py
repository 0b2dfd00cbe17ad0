"""Accuracy and calibration."""

from collections.abc import Mapping

import pandas as pd

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import (
    CALIBRATED,
    MATRIX,
    confusion,
    decides,
    labels,
    measured,
    mistakes,
    performance,
    reliability,
)
from probe.formatting import count, estimate, number
from probe.report.blocks import Block, Figure, Section, Table, panel
from probe.report.sections.common import chapter, records, with_not_measured


def section(bundle: Bundle) -> Section:
    """Accuracy, calibration and the reliability diagram."""
    blocks: list[Block] = []
    if found := measured(bundle, kind="predictions"):
        rows = [(row.named, row.written.value, row.written.ends, row.counted) for row in found]
        columns = ("measure", "estimate", "95 % interval", "n")
        blocks.append(Table(columns, rows, "Performance on all rows", numeric=columns[1:]))
    if bundle.has("arrays/predictions.npz") and decides(bundle):
        blocks += [_confusion(bundle, label) for label in labels(bundle) or [""]]
    if bins := reliability(bundle):
        blocks.append(_reliability(bins))
    shows = performance(bundle.manifest).shows
    return chapter("performance", with_not_measured(bundle, "performance", blocks), shows=shows)


def _confusion(bundle: Bundle, label: str) -> Table:
    """The counts of the Performance page; of many classes the most frequent mistakes."""
    of, counts = f" of {label}" if label else "", confusion(bundle, label)
    names = [str(name) for name in counts.columns]
    if len(names) > MATRIX:
        lines = [(names[row], names[at], count(rows)) for row, at, rows in mistakes(counts)]
        return Table(("label", "answer", "rows"), lines, f"Most frequent mistakes{of}", numeric=("rows",))
    heads = ("label", *(f"answer: {name}" for name in names), "all")
    rows = [
        (name, *map(count, own), count(sum(own))) for name, own in zip(names, counts.to_numpy().tolist(), strict=True)
    ]
    return Table(heads, rows, f"Confusion matrix{of}: rows of each label, by answer", numeric=heads[1:])


def _reliability(found: Mapping[str, pd.DataFrame]) -> Figure:
    several = len(found) > 1
    panels = [
        panel(
            plots.reliability(*(bins[name] for name in ("confidence", "accuracy", "low", "high", "n")), title=label),
            f"Reliability diagram{f' of {label}' if label else ''} of {len(bins)} confidence bins; its numbers are in "
            "the table.",
            f"reliability-{at}" if several else "reliability",
        )
        for at, (label, bins) in enumerate(found.items())
    ]
    columns = ("confidence from", "to", "mean confidence", "accuracy (95 % interval)", "n")
    rows = [
        (
            *((label,) if several else ()),
            number(r["from"], "share"),
            number(r["to"], "share"),
            number(r["confidence"], "share"),
            estimate(r["accuracy"], r["low"], r["high"], "share"),
            count(r["n"]),
        )
        for label, bins in found.items()
        for r in records(bins)
    ]
    named = ("label",) if several else ()
    return Figure(
        panels,
        "Accuracy against confidence, with 95 % Wilson intervals; a larger dot holds more rows. Dots below the dashed "
        f"line: the model is overconfident; above it, underconfident. {CALIBRATED}",
        Table(
            (*named, *columns),
            rows,
            "Numbers of the figure",
            numeric=columns,
            folded=True,
            file="tables/reliability.csv",
        ),
        title="Is its confidence calibrated?",
        size="half" if several else "single",
    )
