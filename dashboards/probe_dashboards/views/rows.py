"""The table of all evaluated rows: what matches, in which order, a page at a time."""

from collections.abc import Sequence
from dataclasses import fields
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit import Bundle, reading
from probe.audit.spreadsheet import to_csv
from probe.formatting import DASH, number, share
from probe.text import visible
from probe_dashboards.views import examples
from probe_dashboards.views.examples import ANY, Wanted
from probe_dashboards.views.flips import Flips, every
from probe_dashboards.views.links import Link, address
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel

PAGE = 25  # rows of a page: a browser takes twice as long for twice as many
NO_GROUP = "not known"
ORDERS = {"up": "smallest first", "down": "largest first"}


def sorts(bundle: Bundle, one: str = ANY) -> dict[str, str]:
    """What rows can be sorted by: id to name."""
    measured, values = examples.measure(bundle, one)
    known = {"row": "Row"}
    if np.isfinite(values).any():
        known["measured"] = visible(measured)
        if bundle.manifest.task.kind == "regression":
            known["off"] = "Absolute error"
    known |= {"answer": "Answer", "label": "Label"}
    if examples.right(bundle) is not None:
        known["right"] = "Right or wrong"
    return known | {key: _flipped(found) for key, found in _by_norm(bundle).items()}


@once
def ordered(bundle: Bundle, wanted: Wanted, sort: str = "row", order: str = "up") -> list[int]:
    """The rows that match, sorted; rows without a value come last."""
    found = np.array(examples.found(bundle, wanted), dtype=int)
    if sort == "row":
        return [int(row) for row in (found if order == "up" else found[::-1])]
    keys = _keys(bundle, wanted.one, sort)[found]
    there = ~np.isnan(keys)
    with_value, without = found[there], found[~there]
    at = np.argsort(keys[there] if order == "up" else -keys[there], kind="stable")
    return [int(row) for row in (*with_value[at], *without)]


def pages(count: int) -> int:
    """How many pages so many rows fill, at least one."""
    return max(1, -(-count // PAGE))


def page(rows: Sequence[int], number: int) -> list[int]:
    """The rows of a page, from 1."""
    return list(rows[(number - 1) * PAGE : number * PAGE])


def table(bundle: Bundle, rows: Sequence[int], one: str = ANY, *, exact: bool = False) -> pd.DataFrame:
    """What is known of these rows, as text; `exact` leaves numbers as they are and tells of each attack."""
    measured, values = examples.measure(bundle, one)
    answers, labels, judged = reading.decisions(bundle), bundle.arrays("predictions")["labels"], examples.right(bundle)
    columns: dict[str, list[Any]] = {
        "Row": list(rows),
        "Answer": list(examples.named(bundle, answers[list(rows)])),
        "Label": list(examples.named(bundle, labels[list(rows)])),
    }
    if judged is not None:
        columns["Right or wrong"] = ["right" if judged[row] else "wrong" for row in rows]
    if np.isfinite(values).any():
        columns[visible(measured)] = [_written(bundle, values[row], exact=exact) for row in rows]
    for tried in every(bundle):
        columns[_flipped(tried)] = [tried.said(row) for row in rows]
        if exact:
            columns |= {f"{name}: radius": [tried.alone(name, row) for row in rows] for name in tried.by}
    if bundle.has("tables/groups.csv"):
        for name, column in bundle.groups().iloc[list(rows)].items():
            own = visible(name)
            while own in columns:  # an attribute may be called Row
                own = f"group {own}"
            columns[own] = column.fillna(NO_GROUP).map(visible).tolist()
    return pd.DataFrame(columns)


@once
def linked(bundle: Bundle, rows: Sequence[int], run: str, wanted: Wanted) -> pd.DataFrame:
    """The table of these rows; the number of a row leads to its page, which steps through the rows that match."""
    shown, asked = table(bundle, rows, wanted.one), query(wanted)
    shown["Row"] = [Link(f"{row}", address("instance", run, asked | {"row": f"{row}"})) for row in rows]
    return shown


def csv(bundle: Bundle, rows: Sequence[int], one: str = ANY) -> str:
    """These rows as CSV that is safe to open in a spreadsheet."""
    return to_csv(table(bundle, rows, one, exact=True))


def panel(bundle: Bundle, wanted: Wanted, sort: str, order: str, shown: Sequence[int]) -> Panel:
    """What stands behind the page: the rows that it shows; its Python gives all that match."""
    default = Wanted()
    asked = {f.name: getattr(wanted, f.name) for f in fields(wanted)}
    asked = {key: value for key, value in asked.items() if value != getattr(default, key)}
    asked |= {"groups": {key: group for key, group in wanted.groups.items() if group != ANY}} if wanted.groups else {}
    said = ", ".join(f"{key}={value!r}" for key, value in asked.items() if value not in ({}, inf, -inf))
    one = f", {wanted.one!r}" if wanted.one != ANY else ""
    return Panel(
        "rows",
        "Rows of this page",
        lambda: table(bundle, shown, wanted.one, exact=True),
        "the inputs of these rows, unless they were explained or are among the first that were attacked.",
        "from probe_dashboards.views import rows\nfrom probe_dashboards.views.examples import Wanted\n\n"
        f"wanted = Wanted({said})\n"
        f"rows.table(bundle, rows.ordered(bundle, wanted, {sort!r}, {order!r}){one}, exact=True)",
    )


def query(wanted: Wanted) -> dict[str, str]:
    """A filter as it stands in an address."""
    default = Wanted(of="all")
    asked = {name: str(getattr(wanted, name)) for name in KEYS if getattr(wanted, name) != getattr(default, name)}
    asked |= {
        key: f"{value:.17g}" for key, value in (("from", wanted.least), ("to", wanted.most)) if np.isfinite(value)
    }
    return {"of": wanted.of, **asked, **{f"in-{name}": group for name, group in wanted.groups.items() if group != ANY}}


KEYS = ("outcome", "label", "answer", "sure", "one", "broken", "search")


def _by_norm(bundle: Bundle) -> dict[str, Flips]:
    """What attacks of each norm made of the rows, by the id that sorts by it; radii of two norms do not compare."""
    return {f"radius-{at}" if at else "radius": found for at, found in enumerate(every(bundle))}


def _flipped(found: Flips) -> str:
    does = "flips it" if found.judges else "moves it to the goal"
    return f"Smallest radius that {does}{f' ({found.named})' if found.named else ''}"


def _keys(bundle: Bundle, one: str, sort: str) -> NDArray[Any]:
    """Of each row the number to sort by."""
    if sort in ("measured", "off"):
        values = examples.measure(bundle, one)[1]
        return np.asarray(np.abs(values) if sort == "off" else values)
    if sort in (known := _by_norm(bundle)):
        radius = known[sort].radius.astype(float)
        return np.asarray(np.where(radius < 0, np.nan, radius))
    if sort == "right":
        judged = examples.right(bundle)
        return np.zeros(examples.count(bundle)) if judged is None else judged.astype(float)
    chosen = reading.decisions(bundle) if sort == "answer" else bundle.arrays("predictions")["labels"]
    if chosen.ndim > 1:  # several answers: those that are alike stand together
        return np.asarray(np.unique(chosen, axis=0, return_inverse=True)[1].ravel().astype(float))
    return np.asarray(chosen, dtype=float)


def _written(bundle: Bundle, value: float, *, exact: bool) -> Any:
    if not np.isfinite(value):
        return DASH
    if bundle.manifest.task.kind == "regression":
        return value if exact else number(value, "signed")
    return value / 100 if exact else share(value / 100)
