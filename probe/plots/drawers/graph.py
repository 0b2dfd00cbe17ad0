"""Drawings of graphs: edges with their attributions, and edges that an attack changed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes

from probe.plots.drawers.drawer import Array, Drawer, Example, Values
from probe.plots.graph import edge_changes, graph, symmetrise


@dataclass(frozen=True, kw_only=True)
class GraphDrawer(Drawer):
    """Draws a graph, which begins with its adjacency matrix."""

    form: ClassVar[str] = "graph"
    places: ClassVar[int] = 2
    size: ClassVar[str] = "third"
    pixels: ClassVar[tuple[int, int, int]] = (320, 300, 480)
    alt: ClassVar[str] = "The graph with its edges by {method}"
    legend: ClassVar[str] = (
        "Lines are the edges that the graph has, wide where they matter; each drawing has a scale of its own, written "
        "below it. Numbers are those of the nodes."
    )
    attacked_alt: ClassVar[str] = "and the edges that {attack} moved"
    attacked_legend: ClassVar[str] = (
        "Red edges were added or strengthened; blue, dashed edges were removed or weakened. Edges are as wide as they "
        "were moved."
    )
    shows: ClassVar[str] = "edges of each graph may be moved, by up to the radius, in the worst way"
    hides: ClassVar[str] = (
        "Without an edge a graph may be something else, so that another answer is not always an error; new nodes are "
        "not covered."
    )

    def input(self, example: Example, *, title: str = "", ax: Axes | None = None) -> Axes:
        return graph(symmetrise(example.inputs), title=title, ax=ax)

    def explained(self, example: Example, values: Values, *, title: str = "", ax: Axes | None = None) -> Axes:
        drawn, limit = symmetrise(values.by_number), values.limit
        like = None if example.like is None else symmetrise(example.like)
        return graph(symmetrise(example.inputs), drawn, limit=limit, like=like, title=title, ax=ax)

    def attacked(
        self, before: Example, after: Example, moved: Array, *, title: str = "", ax: Axes | None = None
    ) -> Axes:
        return edge_changes(symmetrise(before.inputs) / 2, symmetrise(after.inputs) / 2, title=title, ax=ax)

    def reach(self, example: Example, values: Values) -> float:
        there = symmetrise(example.inputs) != 0
        return float(np.abs(symmetrise(values.by_number)[there]).max(initial=0.0))

    def key(self, example: Example, values: Values) -> str:
        return "wide edges matter most"
