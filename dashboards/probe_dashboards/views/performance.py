"""Accuracy and calibration."""

import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.formatting import share
from probe.text import visible
from probe_dashboards.views.words import estimate, unbroken


def present(bundle: Bundle) -> bool:
    """Whether the performance was measured."""
    return bool(reading.measured(bundle, kind="predictions"))


def measures(bundle: Bundle) -> pd.DataFrame:
    """Accuracy, calibration error and area under ROC, each with its interval."""
    rows = [
        (visible(row.named), unbroken(row.written), row.counted) for row in reading.measured(bundle, kind="predictions")
    ]
    return pd.DataFrame(rows, columns=["Measure", "Estimate [95 % interval]", "n"])


def bins(bundle: Bundle, label: str = "") -> pd.DataFrame:
    """The bins of the reliability diagram, of one of several labels, as text."""
    rows = [
        (
            f"{share(r['from'])} to {share(r['to'])}",
            share(r["confidence"]),
            estimate(r["accuracy"], r["low"], r["high"], "share"),
            formatting.count(r["n"]),
        )
        for r in reading.reliability(bundle)[label].to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["Confidence", "Mean confidence", "Accuracy [95 % interval]", "n"])
