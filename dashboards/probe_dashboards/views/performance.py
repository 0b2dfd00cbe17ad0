"""Accuracy and calibration."""

import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.formatting import interval, share
from probe.text import visible
from probe_dashboards.views.links import Link, address
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import estimate, unbroken


def present(bundle: Bundle) -> bool:
    """Whether the performance was measured."""
    return bool(reading.measured(bundle, kind="predictions"))


@once
def measures(bundle: Bundle) -> pd.DataFrame:
    """Accuracy, calibration error and area under ROC, each with its interval."""
    rows = [(visible(row.named), unbroken(row.written), row.counted) for row in _measured(bundle)]
    return pd.DataFrame(rows, columns=["Measure", "Estimate [95 % interval]", "n"])


def panel(bundle: Bundle) -> Panel:
    """What stands behind the numbers over all rows."""

    def numbers() -> pd.DataFrame:
        lines = [(m.metric, m.item, m.value, m.low, m.high, m.n, m.status) for m in _measured(bundle)]
        return pd.DataFrame(lines, columns=["metric", "item", "value", "low", "high", "n", "status"])

    return Panel(
        "measures",
        "Performance on all rows",
        numbers,
        "for whom the model is right: an average hides groups and classes, which are below.",
        "reading.measured(bundle, kind='predictions')",
    )


def bin_panel(bundle: Bundle, label: str = "") -> Panel:
    """What stands behind a reliability diagram."""
    labels = list(reading.reliability(bundle))
    return Panel(
        f"calibration-{labels.index(label)}" if label else "calibration",
        f"Calibration of {label}" if label else "Calibration",
        lambda: reading.reliability(bundle)[label],
        "whether the model is calibrated for each group or class; with other bins the picture changes.",
        f"reading.reliability(bundle)[{label!r}]",
    )


def bins(bundle: Bundle, label: str = "", run: str = "") -> pd.DataFrame:
    """The bins of the reliability diagram, of one of several labels, as text; with an audit's id they lead to rows."""
    rows = []
    for r in reading.reliability(bundle)[label].to_dict("records"):
        between = {key: f"{100 * r[key]:.17g}" for key in ("from", "to")}
        # A threshold decides for what may be the less likely of two classes: its probability is in another bin.
        leads = run and bundle.manifest.task.one_class and getattr(bundle.manifest.task, "threshold", None) is None
        n = formatting.count(r["n"])
        rows.append(
            (
                interval(r["from"], r["to"], "share"),
                share(r["confidence"]),
                estimate(r["accuracy"], r["low"], r["high"], "share"),
                Link(n, address("rows", run, {"of": "all", **between})) if leads else n,
            )
        )
    return pd.DataFrame(rows, columns=["Confidence", "Mean confidence", "Accuracy [95 % interval]", "n"])


def _measured(bundle: Bundle) -> list[reading.Measurement]:
    return reading.measured(bundle, kind="predictions")
