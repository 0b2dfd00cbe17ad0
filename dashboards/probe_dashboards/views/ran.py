"""The methods that ran, by an id that a link can hold."""

from functools import lru_cache
from urllib.parse import urlencode

import pandas as pd

from probe import guests, registry
from probe.audit import Bundle, reading
from probe.audit.manifest import StepRecord
from probe.audit.titles import titles as called
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.links import Link
from probe_dashboards.views.words import md


def steps(bundle: Bundle, kind: str) -> dict[str, StepRecord]:
    """The steps of a kind that were done."""
    done = {step.id: step for step in reading.steps(bundle.manifest, kind)}
    return {slug: done[name] for slug, name in state.slugs(list(done)).items()}


def names(bundle: Bundle, kind: str) -> dict[str, str]:
    """The methods of a kind: id to name in the bundle."""
    return {slug: step.id for slug, step in steps(bundle, kind).items()}


def titles(bundle: Bundle, kind: str) -> dict[str, str]:
    """The methods of a kind: id to what people call it."""
    known = called(bundle.manifest, kind)
    return {slug: known[name] for slug, name in names(bundle, kind).items()}


def marked(bundle: Bundle, kind: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose first column names methods of a kind, in which the links of `linked` are Markdown."""
    found = linked(bundle, kind, frame)
    first = [f"[{md(cell.text)}]({cell.address})" if isinstance(cell, Link) else md(cell) for cell in found.iloc[:, 0]]
    return found.assign(**{str(found.columns[0]): first})


def linked(bundle: Bundle, kind: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose first column names methods of a kind: each that has a place on the page of methods leads there."""
    known, called_ = _listed(kind, *guests.named()), called(bundle.manifest, kind)
    steps = {visible(called_[step.id]): str(step.method.get("method")) for step in reading.steps(bundle.manifest, kind)}
    cells = [
        Link(title, f"methods?{urlencode({'m': steps[title]})}") if steps.get(title) in known else title
        for title in frame.iloc[:, 0]
    ]
    found = frame.copy(deep=False)
    found.isetitem(0, pd.Series(cells, dtype=object).array)
    return found


@lru_cache(maxsize=100)
def _listed(kind: str, *packages: str) -> frozenset[str]:
    """The names of the methods of a kind, read from source once for each set of packages that bring some."""
    return frozenset(registry.listed(kind))
