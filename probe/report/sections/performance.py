"""Accuracy and calibration."""

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import measured
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
    if bundle.has("tables/reliability.csv"):
        blocks.append(_reliability(bundle))
    return chapter("performance", with_not_measured(bundle, "performance", blocks))


def _reliability(bundle: Bundle) -> Figure:
    bins = bundle.table("reliability")
    ax = plots.reliability(*(bins[name] for name in ("confidence", "accuracy", "low", "high", "n")))
    columns = ("confidence from", "to", "mean confidence", "accuracy (95 % interval)", "n")
    rows = [
        (
            number(r["from"], "share"),
            number(r["to"], "share"),
            number(r["confidence"], "share"),
            estimate(r["accuracy"], r["low"], r["high"], "share"),
            count(r["n"]),
        )
        for r in records(bins)
    ]
    return Figure(
        [
            panel(
                ax, f"Reliability diagram of {len(rows)} confidence bins; its numbers are in the table.", "reliability"
            )
        ],
        "Accuracy against confidence, with 95 % Wilson intervals; a larger dot holds more rows. Dots below the dashed "
        "line: the model is overconfident; above it, underconfident.",
        Table(columns, rows, "Numbers of the figure", numeric=columns, folded=True, file="tables/reliability.csv"),
        title="Is its confidence calibrated?",
        size="single",
    )
