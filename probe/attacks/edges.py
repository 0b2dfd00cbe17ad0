"""Attacks that add and remove edges."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.greedy import greedy_search
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.things import pairs
from probe.threats import Edits, Threat


@dataclass(frozen=True, kw_only=True)
class GradArgmax(Attack):
    """Flip the edges that raise the loss most, one after another (Dai et al. 2018, arXiv:1806.02371).

    Graphs are (nodes, nodes or more) and begin with the adjacency matrix of undirected edges, 0 or 1. To first order,
    flipping an edge a raises the loss by (1 - 2a) times the sum of the gradient over its two entries. The flips with
    the highest first-order rise are evaluated on the model and the best one is kept, even if it lowers the loss,
    because a later flip may raise it again. With candidates=1 this is the paper's attack. No edge is flipped twice.

    The loss is the log-odds of an error. The attack is deterministic. A flipped edge can change the true class of a
    graph, so a success is not always an error of the model.

    Raises:
        Unsupported: if the space's form is not graph.
        ShapeError: if a graph has no square adjacency.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import GradArgmax
    >>> edges = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # a path of three nodes
    >>> forward = lambda graphs: torch.stack([3 - graphs.sum((1, 2)), graphs.sum((1, 2)) - 3], 1)
    >>> model = Model(forward=forward, space=Space(form="graph"), classes=("few edges", "many"))
    >>> found = GradArgmax(eps=1)(model, edges, torch.tensor([1]))
    >>> found.perturbed.sum() / 2, found.success
    (tensor(1.), tensor([True]))
    """

    threat: ClassVar[Threat] = Edits("edge")
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    eps: int = param(1, "edges that may be flipped", low=0)
    candidates: int = param(32, "flips tried on the model in each step, the highest first-order rises", low=1)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        return greedy_search(inputs, aim, partial(self._flips, model))

    def _flips(self, model: Model, graphs: Tensor, origin: Tensor, aim: Aim) -> Tensor:
        """Each graph with one edge flipped, for the flips with the highest first-order rise."""
        _, _, gradient = aim.slope(graphs)
        one, other = pairs(graphs)
        allowed = model.space.mutable_mask(origin) & (graphs == origin)
        rise = (1 - 2 * graphs[:, one, other]) * (gradient[:, one, other] + gradient[:, other, one])
        rise = rise.masked_fill(~(allowed[:, one, other] & allowed[:, other, one]), -torch.inf)
        # In the order of edges, so that ties do not depend on the sort.
        chosen = rise.topk(min(self.candidates, rise.shape[1])).indices.sort(1).values
        tried = graphs[:, None].repeat(1, chosen.shape[1], 1, 1)
        # Where there are too few edges that may be flipped, the graph itself is tried.
        flipped = torch.where(rise.gather(1, chosen).isfinite(), 1 - 2 * graphs[:, one, other].gather(1, chosen), 0.0)
        example, candidate = torch.meshgrid(
            *(torch.arange(n, device=graphs.device) for n in chosen.shape), indexing="ij"
        )
        for i, j in ((one, other), (other, one)):
            tried[example, candidate, i[chosen], j[chosen]] += flipped
        return tried
