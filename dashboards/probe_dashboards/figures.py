"""Figures of a bundle as SVG, by name and parameters."""

from collections.abc import Callable

from matplotlib.axes import Axes

from probe import plots
from probe.audit import Bundle
from probe_dashboards.views import bias, instance, robustness


def svg(name: str, bundle: Bundle, ink: str, *keys: str) -> str:
    """Draw a figure on nothing, its text and axes in `ink`, which suits the page below it."""
    return plots.to_svg(FIGURES[name](bundle, *keys), ink=ink)


def _picture(bundle: Bundle, row: str) -> Axes:
    return plots.picture(plots.channels_last(instance.inputs(bundle, int(row))), ax=plots.blank(2.1, 2.1))


def _reliability(bundle: Bundle) -> Axes:
    bins = bundle.table("reliability")
    return plots.reliability(*(bins[name] for name in ("confidence", "accuracy", "low", "high", "n")))


def _heatmap(bundle: Bundle, row: str, method: str) -> Axes:
    image = plots.channels_last(instance.inputs(bundle, int(row)))
    return plots.heatmap(instance.values(bundle, int(row), method), image, features=instance.groups(bundle))


def _bars(bundle: Bundle, row: str, method: str) -> Axes:
    shared = instance.order(bundle, int(row))[: instance.BARS]
    return plots.bars(instance.features(bundle, int(row)), instance.by_feature(bundle, int(row), method), top=shared)


def _graph(bundle: Bundle, row: str) -> Axes:
    return plots.graph(plots.both_places(instance.inputs(bundle, int(row))))


def _edges(bundle: Bundle, row: str, method: str) -> Axes:
    values, nodes = instance.values(bundle, int(row), method), instance.inputs(bundle, int(row))
    return plots.graph(plots.both_places(nodes), plots.both_places(values))


def _rewired(bundle: Bundle, row: str, attack: str, eps: str) -> Axes:
    attacked = instance.attacked(bundle, int(row), attack, eps)
    assert attacked is not None, "asked for only where it was kept"
    before = plots.both_places(instance.inputs(bundle, int(row))) / 2
    return plots.rewired(before, plots.both_places(attacked) / 2, ax=plots.blank(4.6, 3.2))


def _changed(bundle: Bundle, row: str, attack: str, eps: str) -> Axes:
    attacked = instance.attacked(bundle, int(row), attack, eps)
    assert attacked is not None, "asked for only where it was kept"
    return plots.before_and_after(plots.channels_last(instance.inputs(bundle, int(row))), plots.channels_last(attacked))


def _curves(bundle: Bundle, by: str) -> Axes:
    frame = robustness.table(bundle, by)
    curves = {
        str(name): plots.Curve(part["eps"], part["robust_accuracy"], part["low"], part["high"])
        for name, part in frame.groupby(frame.columns[0], sort=False)
    }
    ax = plots.blank(4.8, 3.1)
    asked = robustness.asked(bundle) if by == "attack" else None
    return plots.robustness(curves, threshold=asked, unit=robustness.unit(bundle), ax=ax)


def _forest(bundle: Bundle, attribute: str, rate: str) -> Axes:
    frame = bias.rates(bundle, attribute, rate)
    ax = plots.blank(4.1, 0.72 + 0.24 * max(len(frame), 2))
    return plots.forest(
        list(frame["group"]),
        frame["value"],
        frame["low"],
        frame["high"],
        counts=frame["n"],
        faint=frame["small"],
        ax=ax,
    )


FIGURES: dict[str, Callable[..., Axes]] = {
    "picture": _picture,
    "reliability": _reliability,
    "heatmap": _heatmap,
    "bars": _bars,
    "changed": _changed,
    "graph": _graph,
    "edges": _edges,
    "rewired": _rewired,
    "curves": _curves,
    "forest": _forest,
}
