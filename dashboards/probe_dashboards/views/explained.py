"""What explains one example, and whether the methods agree."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.audit.reading import captioned
from probe.errors import IntegrityError
from probe.formatting import MINUS
from probe.statistics import ranks
from probe.statuses import STATUSES
from probe.text import visible
from probe_dashboards.views import ran
from probe_dashboards.views.instance import classes, drawer, example, features, words
from probe_dashboards.views.words import md, unbroken

Array = NDArray[Any]
BARS = 10  # features that a chart lists
BADGES = {
    "pass": "blue[:material/check_circle:",
    "fail": "orange[:material/cancel:",
    "inconclusive": "orange[:material/help:",
}


def methods(bundle: Bundle) -> dict[str, str]:
    """The explainers that ran: id to name in the bundle."""
    return ran.names(bundle, "explainer")


def method_titles(bundle: Bundle) -> dict[str, str]:
    """The explainers that ran: id to what people call it."""
    return ran.titles(bundle, "explainer")


def caption(bundle: Bundle, method: str) -> str:
    """What red and blue of a method say, and what its values add up to."""
    return captioned(ran.steps(bundle, "explainer")[method])


def drawn(bundle: Bundle, row: int, method: str) -> plots.Values:
    """What a method attributes to the example, with the features that every chart of it lists."""
    top = order(bundle, row)[:BARS]
    return plots.Values(values(bundle, row, method), by_feature(bundle, row, method), top)


def values(bundle: Bundle, row: int, method: str) -> Array:
    """What a method attributes to each number of the input."""
    return _explanation(bundle, row, method, "values")


def scale(bundle: Bundle, row: int, method: str) -> str:
    """What the colours or widths of a method's drawing stand for; empty where it says so itself."""
    return drawer(bundle).key(example(bundle, row), drawn(bundle, row, method))


def order(bundle: Bundle, row: int) -> list[int]:
    """The features in the order in which every chart and table of the example lists them."""
    return plots.shared_order([by_feature(bundle, row, method) for method in methods(bundle)])


def by_feature(bundle: Bundle, row: int, method: str) -> Array:
    """What a method attributes to each feature; of a text to each word that is there."""
    found = _explanation(bundle, row, method, "by_feature")
    said = words(bundle, row) if drawer(bundle).named_in_words else []
    return found[[bool(word) for word in said]] if said else found


def sentence(bundle: Bundle, row: int, method: str = "") -> str:
    """The text as HTML, its words shaded by what a method attributes to them; plain if none is named.

    Empty where the form is drawn as a figure.
    """
    return drawer(bundle).text(example(bundle, row), drawn(bundle, row, method) if method else None)


def target(bundle: Bundle, row: int, method: str) -> str:
    """The class that a method explains."""
    stored = bundle.arrays(ran.steps(bundle, "explainer")[method].name)
    return classes(bundle)[int(stored["targets"][_at(stored["rows"], row)])]


def attributions(bundle: Bundle, row: int) -> pd.DataFrame:
    """What every method attributes to each feature, in the order of the charts."""
    found = method_titles(bundle)
    frame = pd.DataFrame({visible(name): by_feature(bundle, row, method) for method, name in found.items()})
    frame.insert(0, "Feature", features(bundle, row))
    return frame.iloc[order(bundle, row)].reset_index(drop=True)


def badges(bundle: Bundle, method: str) -> list[str]:
    """What was measured of a method over all explained examples, and what follows from it, as Markdown."""
    if not bundle.has("tables/readings.csv"):
        return ["Not checked: the audit ended before its tables were made"]
    step = ran.steps(bundle, "explainer")[method]
    said = {r.metric: r.notes for r in step.readings}
    return [_badge(row, said[row.metric].get(row.status, "")) for row in reading.measured(bundle, step=step.name)] or [
        ":grey[:material/help: Not measured]"
    ]


def agreement(bundle: Bundle, row: int) -> pd.DataFrame:
    """Spearman's rank correlation between what the methods attribute to the features; NaN for a constant one."""
    found = methods(bundle)
    places = np.array([ranks(by_feature(bundle, row, method)) for method in found])
    centred = places - places.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1))
    product = np.outer(size, size)
    matrix = np.divide(centred @ centred.T, product, out=np.full(product.shape, np.nan), where=product > 0)
    names = [visible(name) for name in method_titles(bundle).values()]
    frame = pd.DataFrame(matrix, columns=names).map(_correlation)
    frame.insert(0, "Method", names)
    return frame


def _explanation(bundle: Bundle, row: int, method: str, part: str) -> Array:
    stored = bundle.arrays(ran.steps(bundle, "explainer")[method].name)
    return np.asarray(stored[part][_at(stored["rows"], row)], dtype=float)


def _correlation(value: float) -> str:
    return "\N{EN DASH}" if np.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00").replace("-", MINUS)


def _at(stored: Array, row: int) -> int:
    found = np.flatnonzero(stored == row)
    if not len(found):
        raise IntegrityError(f"example {row} is not among those that the audit kept")
    return int(found[0])


def _badge(row: reading.Measurement, said: str) -> str:
    written = f"{unbroken(row.written)}, n = {row.counted}"
    name, status = md(formatting.words(row.metric)), row.status
    if status not in BADGES:
        return f"{name}: {written}"
    said = md(said or STATUSES[status].word)
    return f":{BADGES[status]} {name}: {said if status == 'pass' else said.upper()}] {written}"
