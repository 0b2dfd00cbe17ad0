"""The attributions of all explained rows together, where features mean the same in each row."""

import pandas as pd

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.text import visible
from probe_dashboards.views import ran
from probe_dashboards.views.instance import drawer
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel

LISTED = 10  # features that a chart lists
LACKS = (
    "what would happen if a feature changed in the world, nor what a feature does that matters in few rows: it has a "
    "small mean."
)


def shown(bundle: Bundle) -> bool:
    """Whether the rows are those of a table, and there are two at least."""
    return drawer(bundle).tabular and len(next(iter(_swarms(bundle).values())).values) > 1


def swarm(bundle: Bundle, method: str) -> reading.Swarm:
    """The values of a method at all explained rows."""
    return _swarms(bundle)[method]


def listed(bundle: Bundle) -> list[int]:
    """The features that each chart lists, in the same order, by their mean rank over the methods."""
    return plots.shared_order([each.sizes for each in _swarms(bundle).values()])[:LISTED]


@once
def table(bundle: Bundle) -> pd.DataFrame:
    """The mean absolute value of each feature by each method."""
    names, titles = bundle.manifest.data.features, ran.titles(bundle, "explainer")
    found = {"Feature": [visible(str(names[at])) for at in listed(bundle)]}
    for method, each in _swarms(bundle).items():
        found[visible(titles[method])] = [formatting.number(float(each.sizes[at])) for at in listed(bundle)]
    return pd.DataFrame(found)


def panel(bundle: Bundle) -> Panel:
    """What stands behind the figure: the mean absolute value of every feature by every method."""
    titles, names = ran.titles(bundle, "explainer"), bundle.manifest.data.features

    def numbers() -> pd.DataFrame:
        sizes = {titles[method]: each.sizes for method, each in _swarms(bundle).items()}
        return pd.DataFrame({"feature": list(names), **sizes})

    return Panel(
        "together",
        "Mean absolute values by feature",
        numbers,
        LACKS,
        "{step.id: reading.swarm(bundle, step).sizes for step in reading.steps(bundle.manifest, 'explainer')}",
    )


def promising(bundle: Bundle, row: int) -> dict[str, str]:
    """The methods whose values lead from one output to another, in a table: id to title."""
    if not drawer(bundle).tabular:
        return {}
    titles = ran.titles(bundle, "explainer")
    return {
        method: titles[method]
        for method, step in ran.steps(bundle, "explainer").items()
        if reading.between(bundle, step, row) is not None
    }


def ends(bundle: Bundle, row: int, method: str) -> tuple[float, float]:
    """The outputs that the values of a promising method lead from and to."""
    found = reading.between(bundle, ran.steps(bundle, "explainer")[method], row)
    assert found is not None, "asked for only of methods that promise a sum"
    return found


def _swarms(bundle: Bundle) -> dict[str, reading.Swarm]:
    return {method: reading.swarm(bundle, step) for method, step in ran.steps(bundle, "explainer").items()}
