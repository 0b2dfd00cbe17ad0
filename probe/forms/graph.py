"""Graphs as one tensor: the adjacency matrix beside the node features."""

from dataclasses import dataclass
from typing import ClassVar

from probe.forms.form import Defaults, Form


@dataclass(frozen=True, kw_only=True, repr=False)
class Graph(Form):
    """A graph (nodes, nodes or more) that begins with the adjacency of undirected edges. An attacker flips edges."""

    name: ClassVar[str] = "graph"
    moves: ClassVar[str] = "edges"
    read_as: ClassVar[str] = "graphs as arrays"
    defaults: ClassVar[Defaults] = Defaults(
        explainers=("saliency", *Defaults().explainers), attacks=({"method": "grad_argmax"},), eps=("1", "2", "3", "5")
    )
