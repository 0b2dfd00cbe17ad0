"""Figures of graphs: attributions of edges, and edges that an attack changed."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike, NDArray

from probe.formatting import MINUS, digits
from probe.palette import AGAINST, FOR, INK, MUTED, OUTLINE
from probe.plots.canvas import new_axes
from probe.plots.style import SMALL, set_title

Edges = NDArray[np.float64]
WIDEST, DOT, STEPS = 5.0, 9.0, 100  # sizes in points, and iterations of the layout


def graph(
    edges: ArrayLike,
    values: ArrayLike | None = None,
    *,
    limit: float | None = None,
    like: ArrayLike | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Nodes with their indices, and edges as wide as their values: red supports the target, blue opposes it.

    Args:
        edges: (nodes, nodes), symmetric; 0 where there is none.
        values: (nodes, nodes), symmetric; values without an edge are not drawn.
        limit: the value at which a line is widest; by default the largest absolute value.
        like: the edges of another graph of these nodes, which are drawn where it has them.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = new_axes(2.6, 2.1) if ax is None else ax
    links = np.asarray(edges, dtype=float)
    at = layout(links if like is None else np.asarray(like, dtype=float))
    there = np.argwhere(np.triu(links, 1))
    _lines(ax, at, there, [MUTED] * len(there), np.full(len(there), 0.9))
    if values is not None:
        shown = np.asarray(values, dtype=float)[there[:, 0], there[:, 1]]
        limit = float(np.abs(shown).max(initial=0.0)) if limit is None else limit
        share = np.abs(shown) / limit if limit > 0 else shown
        _lines(ax, at, there, [FOR if value > 0 else AGAINST for value in shown], WIDEST * share.clip(0, 1))
        _below(ax, f"widest: {MINUS}{digits(limit, 2)} or +{digits(limit, 2)}")
    return _nodes(ax, at, title)


def edge_changes(
    before: ArrayLike, after: ArrayLike, *, top: int = 10, title: str = "", ax: Axes | None = None
) -> Axes:
    """A graph and the edges in which another one differs: red were added or grew, blue dashed were removed or shrank.

    Args:
        before: (nodes, nodes), symmetric.
        after: the same shape.
        top: how many changed edges to draw, the largest changes first; the width is the change.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = new_axes(3.4, 2.6) if ax is None else ax
    old = np.asarray(before, dtype=float)
    change = np.triu(np.asarray(after, dtype=float) - old, 1)
    at, places = layout(old), np.argwhere(change)
    sizes = change[places[:, 0], places[:, 1]]
    most = np.argsort(-np.abs(sizes), kind="stable")[:top]
    there = np.argwhere(np.triu(old, 1))
    _lines(ax, at, there, [MUTED] * len(there), np.full(len(there), 0.9))
    # Widths differ even if an attack moved every edge a little: a hairline at 0.05, a bar at 1.
    widths = 0.8 + 1.8 * np.abs(sizes[most]).clip(0, 1)
    for sign, colour, style in ((1, FOR, "-"), (-1, AGAINST, "--")):
        chosen = np.sign(sizes[most]) == sign
        _lines(ax, at, places[most][chosen], [colour] * int(chosen.sum()), widths[chosen], style)
    moved = f"{len(places)} edge{'s' * (len(places) != 1)}"
    drawn = f"the {top} that moved most of {moved}" if len(places) > top else f"{moved} moved"
    _below(ax, f"{drawn}: {_counted(sizes[most])}")
    return _nodes(ax, at, title)


def symmetrise(graph: ArrayLike) -> NDArray[np.float64]:
    """The sum of both entries of each edge, from (nodes, nodes or more) that begins with the adjacency matrix."""
    rows = np.asarray(graph, dtype=float)
    return np.asarray(rows[:, : len(rows)] + rows[:, : len(rows)].T)


def layout(edges: ArrayLike) -> NDArray[np.float64]:
    """Positions of the nodes, (nodes, 2), whose distances approximate the path lengths between them.

    Stress majorisation (Gansner et al. 2005, doi:10.1007/978-3-540-31843-9_25) from classical scaling; deterministic.
    """
    hops = _hops(np.asarray(edges, dtype=float) > 0)
    count = len(hops)
    if count == 1:
        return np.zeros((1, 2))
    centring = np.eye(count) - 1 / count
    sizes, vectors = np.linalg.eigh(-centring @ hops**2 @ centring / 2)
    at = vectors[:, :-3:-1] * np.sqrt(sizes[:-3:-1].clip(min=0))
    # Separate nodes that ended at the same position.
    turn = 2 * np.pi * np.arange(count) / count
    at = at + 0.05 * np.stack([np.cos(turn), np.sin(turn)], 1)
    weight = 1 / (hops + np.eye(count)) ** 2 * (1 - np.eye(count))
    pull = np.linalg.pinv(np.diag(weight.sum(1)) - weight)
    for _ in range(STEPS):
        apart = np.linalg.norm(at[:, None] - at, axis=2)
        ratio = -weight * hops / np.where(apart > 1e-9, apart, np.inf)
        at = pull @ ((ratio - np.diag(ratio.sum(1))) @ at)
    return np.asarray(at)


def _hops(linked: NDArray[np.bool_]) -> Edges:
    """The path length between any two nodes; one more than the longest where there is no path."""
    count = len(linked)
    hops = np.where(linked, 1.0, np.inf)
    np.fill_diagonal(hops, 0)
    for middle in range(count):
        hops = np.minimum(hops, hops[:, middle, None] + hops[None, middle])
    return np.where(np.isinf(hops), hops[np.isfinite(hops)].max() + 1, hops)


def _lines(
    ax: Axes, at: Edges, pairs: NDArray[np.intp], colours: list[str], widths: NDArray[np.float64], style: str = "-"
) -> None:
    ax.add_collection(
        LineCollection(
            [at[pair] for pair in pairs], colors=colours, linewidths=widths, linestyles=style, capstyle="butt"
        )
    )


def _counted(sizes: NDArray[np.float64]) -> str:
    up, down = int((sizes > 0).sum()), int((sizes < 0).sum())
    return ", ".join(f"{count} {word}" for count, word in ((up, "up"), (down, "down")) if count) or "none"


def _nodes(ax: Axes, at: Edges, title: str) -> Axes:
    ax.plot(*at.T, "o", color=OUTLINE, markersize=DOT, markeredgecolor=MUTED, markeredgewidth=0.7)
    for node, place in enumerate(at):
        # White on dark in any theme.
        ax.annotate(str(node), tuple(place), ha="center", va="center_baseline", fontsize=SMALL - 2.5, color="#FFFFFF")
    ax.set_aspect("equal", anchor="NW")
    ax.margins(0.08)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_facecolor("none")
    for spine in ax.spines.values():
        spine.set_visible(False)
    set_title(ax, title, 48)
    return ax


def _below(ax: Axes, text: str) -> None:
    ax.set_xlabel(text, fontsize=SMALL, color=INK, loc="left")
