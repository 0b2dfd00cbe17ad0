"""Motifs: which of four small figures hangs on a random tree? Graphs that are generated, with known true edges.

A motif has 6 nodes and 7 edges, and its nodes have 3, 3, 2, 2, 2 and 2 neighbours within it. There are four connected
graphs like that, and they are the classes. A tree grows by nodes that each choose an earlier one by chance, and hangs
by one edge on a node of the motif that is chosen by chance as well; then all nodes are renumbered. So the number of
edges is always the same, degrees are distributed alike in all classes, and neither tells a class from another. This
is the task of GNNExplainer and PGExplainer (arXiv:1903.03894, arXiv:2011.04573), made balanced.

No graph is in both splits. But nodes have no order to a network, and 7 % of the test graphs may be training graphs with
other numbers: those that refining the colours of their nodes cannot tell from one.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe import Dataset, Space
from probe.errors import PlanError

NAME = "motifs"
MOTIFS = {
    "two squares": ((0, 1), (1, 2), (2, 3), (3, 0), (2, 4), (4, 5), (5, 3)),  # with one side in common
    "two triangles": ((0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 3)),  # joined by an edge
    "triangle and pentagon": ((0, 1), (1, 2), (2, 0), (1, 3), (3, 4), (4, 5), (5, 2)),  # with one side in common
    "two pentagons": ((0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 5), (5, 2)),  # with two sides in common
}
CLASSES = tuple(MOTIFS)
NODES, WITHIN = 20, 6  # of a graph, of its motif
COUNTS = {"train": 8_000, "test": 2_000}
SEEDS = {"train": 1, "test": 2}
SOURCE = "generated from a seed: a motif on a random tree, after BA-2motifs of PGExplainer (arXiv:2011.04573)"

Flags = NDArray[np.bool_]


def read(split: str) -> Dataset:
    """The `train` or `test` split: each graph is (nodes, nodes + 1), its adjacency beside a column of ones.

    The column says that a node is there, and is all that is known of it.
    """
    edges, labels, _ = _generate(split)
    adjacency = torch.from_numpy(edges).float()
    return Dataset(
        inputs=torch.cat([adjacency, torch.ones(len(adjacency), NODES, 1)], 2),
        labels=torch.from_numpy(labels),
        space=space(),
        classes=CLASSES,
        name=f"motifs {split}",
        source=SOURCE,
        truth=torch.nn.functional.pad(motif(split), (0, 1)),
    )


def motif(split: str) -> Tensor:
    """Which edges are the motif's, (rows, nodes, nodes): true in both places of an edge."""
    return torch.from_numpy(_generate(split)[2])


@cache
def space() -> Space:
    """Edges from 0, absent, to 1. An edge is one feature, though it has two places; a node with its diagonal another.

    A reference graph has all nodes and no edges, so that an explanation is about edges alone. Edges may be attacked,
    and also be set between 0 and 1, which the networks take for weights: that is the relaxation in which gradients
    attack graphs. Attacks that follow gradients move both places of an edge alike, as the networks average the two.
    """
    first, second = np.triu_indices(NODES, 1)
    features = np.diag(np.arange(NODES) + len(first))
    features[first, second] = features[second, first] = np.arange(len(first))
    nodes = features.diagonal()[:, None]
    nothing = torch.zeros(1, NODES, NODES + 1)
    nothing[:, :, NODES:] = 1
    return Space(
        bounds=(0.0, 1.0),
        features=torch.from_numpy(np.concatenate([features, nodes], 1)),
        names=(*(f"edge {i}-{j}" for i, j in zip(first, second, strict=True)), *(f"node {i}" for i in range(NODES))),
        reference=nothing,
        mutable=torch.cat([~torch.eye(NODES, dtype=torch.bool), torch.zeros(NODES, 1, dtype=torch.bool)], 1),
        form="graph",
    )


@cache
def _generate(split: str) -> tuple[Flags, NDArray[np.int64], Flags]:
    """Edges (rows, nodes, nodes), labels (rows,), and which edges are the motif's."""
    if split not in COUNTS:
        raise PlanError(f"motifs has the splits {', '.join(COUNTS)}; got {split!r}")
    # Only numbers from 0 to 1 are drawn: numpy may change how it makes others of them.
    count, random = COUNTS[split], np.random.Generator(np.random.PCG64(SEEDS[split])).random
    graph, labels = np.arange(count), np.arange(count) % len(CLASSES)
    drawn = np.zeros((len(CLASSES), NODES, NODES), bool)
    for label, pairs in enumerate(MOTIFS.values()):
        drawn[label][tuple(zip(*pairs, strict=True))] = True
    true = drawn[labels]
    edges = true.copy()
    for node in range(WITHIN + 1, NODES):
        edges[graph, WITHIN + (random(count) * (node - WITHIN)).astype(int), node] = True
    hook, branch = (random(count) * WITHIN).astype(int), WITHIN + (random(count) * (NODES - WITHIN)).astype(int)
    edges[graph, hook, branch] = True
    order, rows = random((count, NODES)).argsort(1), random(count).argsort()
    return _both_ways(edges, order)[rows], labels[rows], _both_ways(true, order)[rows]


def _both_ways(edges: Flags, order: NDArray[np.int64]) -> Flags:
    """Each edge in both of its places, with the nodes of each graph in a new order."""
    both = edges | edges.transpose(0, 2, 1)
    return np.take_along_axis(np.take_along_axis(both, order[:, :, None], 1), order[:, None], 2)
