"""How often the model is right, and whether it knows."""

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import readings
from probe.formatting import count, estimate, interval, number
from probe.report.parts import Block, Figure, Section, Table, panel
from probe.report.sections.common import chapter, records, with_absence


def section(bundle: Bundle) -> Section:
    """Accuracy, calibration and the reliability diagram."""
    blocks: list[Block] = []
    if measured := readings(bundle, "performance"):
        rows = [
            (
                ": ".join(filter(None, (r["title"], r["item"]))),
                number(r["value"], r["unit"]),
                interval(r["low"], r["high"], r["unit"]),
                count(r["n"]),
            )
            for r in measured
        ]
        columns = ("measure", "estimate", "95 % interval", "n")
        blocks.append(Table(columns, rows, "Performance on all rows", numeric=columns[1:]))
    if bundle.has("tables/reliability.csv"):
        blocks.append(_reliability(bundle))
    return chapter("performance", with_absence(bundle, "performance", blocks))


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
        "line are answers that are less often right than the model is sure; above it, more often.",
        Table(columns, rows, "Numbers of the figure", numeric=columns, folded=True, file="tables/reliability.csv"),
        title="Is it as often right as it is sure?",
        size="single",
    )
