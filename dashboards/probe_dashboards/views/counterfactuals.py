"""What counterfactuals found: a table of the rows, and one row before and after."""

import numpy as np
import pandas as pd

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.audit.reading import Candidate, Search
from probe.formatting import DASH
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.instance import feature_names
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import unbroken

Pair = tuple[plots.Example, plots.Example]


def searches(bundle: Bundle) -> dict[str, Search]:
    """The methods: id to what each found."""
    found = reading.searches(bundle)
    return dict(zip(state.slugs([each.step.removeprefix("counterfactual-") for each in found]), found, strict=True))


def measured(found: Search) -> pd.DataFrame:
    """What was measured of a method over all rows searched."""
    lines = [(visible(row.title), unbroken(row.written), row.counted) for row in found.rows]
    return pd.DataFrame(lines, columns=["Measure", "Estimate [95 % interval]", "n"])


def listed(found: Search) -> pd.DataFrame:
    """The first rows: answers before and after, what changes, and how far that is."""
    lines = [
        (
            formatting.count(row.row),
            visible(row.before),
            visible(row.after) if row.reached else "none found",
            "yes" if row.reached else "no",
            formatting.count(row.changed) if row.reached else DASH,
            row.length if row.reached else DASH,
        )
        for row in found.candidates
    ]
    heads = ["Row", "Answer", "Answer to the candidate", "As wanted", "Features changed", "Distance"]
    return pd.DataFrame(lines, columns=heads)


def titles(found: Search) -> dict[str, str]:
    """The rows that can be looked at: those with the wanted answer whose candidate the audit kept."""
    rows = [row for row in found.candidates if row.reached and row.change is not None]
    return {str(row.row): f"row {row.row:,}: {row.before} → {row.after}" for row in rows}


def candidate(found: Search, row: str) -> Candidate:
    """What was found for one row."""
    return next(each for each in found.candidates if str(each.row) == row)


def pair(bundle: Bundle, found: Candidate) -> Pair:
    """The row and its candidate as their form is drawn."""
    assert found.change is not None, "asked for only where it was kept"
    names = feature_names(bundle)
    numbers = (np.asarray(each, dtype=float) for each in (found.change.before, found.change.after))
    before, after = (plots.Example(each, names, words) for each, words in zip(numbers, found.change.words, strict=True))
    return before, after


def changes(bundle: Bundle, found: Candidate) -> pd.DataFrame:
    """What a candidate changes of a row of a table."""
    assert found.change is not None, "asked for only where it was kept"
    lines = [
        (visible(name), visible(old) or DASH, visible(new) or DASH, formatting.number(abs(far)))
        for name, old, new, far in reading.moves(bundle.manifest.data.features, found.change)
    ]
    return pd.DataFrame(lines, columns=["Feature", "Is", "Would be", "Distance"])


def behind(found: Search) -> Panel:
    """What stands behind the rows searched."""
    lines = [(row.row, row.before, row.after, row.reached, row.changed, row.length) for row in found.candidates]
    return Panel(
        "rows",
        "Row by row",
        pd.DataFrame(lines, columns=["row", "answer", "answer_to_candidate", "as_wanted", "changed", "distance"]),
        "that no nearer counterfactual exists, or that anybody could make the change.",
        "reading.searches(bundle)",
    )
