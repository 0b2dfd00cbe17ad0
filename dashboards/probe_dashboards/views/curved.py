"""The output as features are removed or added, by the order of each explainer and by random ones."""

import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe_dashboards import state
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel

LACKS = (
    "how the model answers inputs that occur: most of these have features that are missing. A curve is of one order of "
    "the features; features that matter only together look unimportant in it."
)


def metrics(bundle: Bundle) -> dict[str, str]:
    """The metrics whose curves are kept: id to title."""
    return {slug: formatting.words(name) for slug, name in _names(bundle).items()}


def how(bundle: Bundle, metric: str) -> str:
    """What the metric does with features."""
    return reading.curved(bundle)[_names(bundle)[metric]]


def said(bundle: Bundle, metric: str, row: int | None = None) -> str:
    """The caption of the curves."""
    what = reading.CURVES_NOTE.format(moved=how(bundle, metric))
    return what if row is None else what.replace("; the mean over the rows explained", f", in example {row}")


@once
def drawn(bundle: Bundle, metric: str, row: int | None = None) -> dict[str, pd.DataFrame]:
    """The curves by the title of the explainer."""
    return reading.curves(bundle, _names(bundle)[metric], row)


def panel(bundle: Bundle, metric: str, row: int | None = None) -> Panel:
    """What stands behind the curves of a metric."""
    name = _names(bundle)[metric]

    def numbers() -> pd.DataFrame:
        found = [each.assign(method=title) for title, each in drawn(bundle, metric, row).items()]
        return pd.concat(found)[["method", "share", "own", "random"]]

    asked = f"reading.curves(bundle, {name!r}{'' if row is None else f', {row}'})"
    return Panel("curves", f"Features {how(bundle, metric)}", numbers, LACKS, asked)


def _names(bundle: Bundle) -> dict[str, str]:
    return state.slugs([*reading.curved(bundle)])
