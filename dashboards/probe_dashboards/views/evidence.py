"""Every number that was measured, and what each step left."""

import pandas as pd

from probe.audit import Bundle, reading
from probe.formatting import DASH
from probe.statuses import look
from probe.text import visible
from probe_dashboards.views.words import unbroken


def measured(bundle: Bundle) -> pd.DataFrame:
    """The numbers, in the order in which they were measured."""
    lines = [
        (
            visible(row.method) or "the model",
            visible(row.named),
            unbroken(row.written),
            row.counted,
            look(row.status).word if row.status else DASH,
        )
        for row in reading.measured(bundle)
    ]
    return pd.DataFrame(lines, columns=["Method", "Measure", "Estimate [95 % interval]", "n", "Status"])


def steps(bundle: Bundle) -> pd.DataFrame:
    """What each step left: its settings, and its arrays with their shapes."""
    lines = [
        tuple(visible(text) for text in (each.step, each.kind, each.status, each.settings, each.arrays, each.note))
        for each in reading.evidence(bundle)
    ]
    return pd.DataFrame(lines, columns=["Step", "Kind", "Ended", "Settings", "Arrays", "Note"])
