"""Graph neural networks, which read an adjacency matrix and node features.

A graph of n nodes is (n, n + f): its adjacency, then f numbers for each node. Edges may be weights between 0 and 1; 0
is exactly no edge. The output is invariant to the order of nodes.
"""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.network import Network, Standardise
from probe_models.networks.shapes import Edges, Graphs, Logits

STEEPEST = 30.0  # score of an absent edge above the existing ones, at which its gradient is still exact


class GraphNetwork(Network):
    """Message passing layers, then one linear layer on the mean over the nodes.

    A node starts as h = [its features, its degree]; a layer is h <- ReLU(BatchNorm(messages(h, A + I))), from
    widths[k-1] to widths[k] features. The logits sum to 0: a common shift would not change the prediction, and should
    not be explained.
    """

    def __init__(self, features: int, widths: Sequence[int], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.standardise, self.drop = Standardise(), DropEdge(dropout)
        self.rounds = nn.ModuleList(self.messages(a, b) for a, b in pairwise((features + 1, *widths)))
        self.norms = nn.ModuleList(map(nn.BatchNorm1d, widths))
        self.head = nn.Linear(widths[-1], classes)

    @abstractmethod
    def messages(self, inputs: int, outputs: int) -> nn.Module:
        """The message passing layer from a number of input to a number of output features."""

    def forward(self, inputs: Graphs) -> Logits:
        known, edges = inputs[:, :, inputs.shape[1] :], self.drop(adjacency(inputs))
        nodes = torch.cat([known, self.standardise(edges.sum(2, keepdim=True))], 2)
        with_self = edges + torch.eye(edges.shape[1], device=edges.device, dtype=edges.dtype)
        for messages, norm in zip(self.rounds, self.norms, strict=True):
            heard = messages(nodes, with_self)
            nodes = norm(heard.flatten(0, 1)).view_as(heard).relu()
        logits = self.head(nodes.mean(1))
        return logits - logits.mean(1, keepdim=True)

    def adapt(self, inputs: Graphs, generator: torch.Generator) -> None:
        self.standardise.adapt(adjacency(inputs).sum(2))
        for module in self.rounds:
            if isinstance(module, Attention):
                module.adapt(generator)


class GCN(GraphNetwork):
    """A graph convolutional network (Kipf and Welling 2017, arXiv:1609.02907)."""

    def messages(self, inputs: int, outputs: int) -> nn.Module:
        return Convolution(inputs, outputs)


class GAT(GraphNetwork):
    """A graph attention network (Velickovic et al. 2018, arXiv:1710.10903)."""

    def __init__(self, features: int, widths: Sequence[int], heads: int, classes: int, dropout: float = 0.0) -> None:
        self.heads = heads
        super().__init__(features, widths, classes, dropout)

    def messages(self, inputs: int, outputs: int) -> nn.Module:
        return Attention(inputs, outputs, self.heads)


class Convolution(nn.Module):
    """D^-1/2 A D^-1/2 h W, where A has the edges to itself and D is its degrees."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)

    def forward(self, nodes: Float[Tensor, "rows nodes inputs"], edges: Edges) -> Float[Tensor, "rows nodes outputs"]:
        scale = edges.sum(2).rsqrt()
        return (scale[:, :, None] * edges * scale[:, None]) @ self.linear(nodes)


class Attention(nn.Module):
    """Attention over neighbours: a weighted mean of their h W, with several heads.

    Node i gives its neighbour j the weight A_ij exp(e_ij) / sum_k A_ik exp(e_ik), with e_ij = LeakyReLU(a . [h_i W, h_j
    W]). The edge is a factor, not a mask, so that the output has a gradient with respect to it, even if it is absent.
    """

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        if outputs % heads:
            raise ValueError(f"{outputs} numbers cannot be divided among {heads} heads")
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.score = nn.Parameter(torch.empty(2, heads, outputs // heads))

    def forward(self, nodes: Float[Tensor, "rows nodes inputs"], edges: Edges) -> Float[Tensor, "rows nodes outputs"]:
        said = self.linear(nodes).unflatten(-1, self.score.shape[1:]).transpose(1, 2)  # (rows, heads, nodes, width)
        listens, speaks = (said @ part[:, :, None] for part in self.score)  # (rows, heads, nodes, 1)
        scores = nn.functional.leaky_relu(listens + speaks.mT, 0.2)
        there, edges = edges[:, None] > 0, edges[:, None]
        # Minus the largest existing score, so that exponentials neither overflow nor all vanish.
        largest = scores.detach().where(there, -torch.inf).amax(-1, keepdim=True)
        weights = edges * (scores - largest).clamp(max=STEEPEST).exp()
        weights = weights / weights.sum(-1, keepdim=True)
        return (weights @ said).transpose(1, 2).flatten(2)

    def adapt(self, generator: torch.Generator) -> None:
        """Initialise the attention weights."""
        nn.init.normal_(self.score, std=self.score.shape[2] ** -0.5, generator=generator)


class DropEdge(nn.Module):
    """In training, remove each edge with probability `part` (arXiv:1907.10903).

    Otherwise a network only sees whole graphs, and its output for partial graphs is arbitrary, and so are explanations
    that remove edges.
    """

    def __init__(self, part: float) -> None:
        super().__init__()
        self.dropout = Dropout(part)

    def forward(self, edges: Edges) -> Edges:
        if not self.training:
            return edges
        kept = self.dropout(torch.ones_like(edges).triu(1)).sign()
        return edges * (kept + kept.mT)


def adjacency(inputs: Graphs) -> Edges:
    """The edges of graphs: the mean of both entries of an edge, with a zero diagonal."""
    edges = inputs[:, :, : inputs.shape[1]]
    apart = 1 - torch.eye(edges.shape[1], device=edges.device, dtype=edges.dtype)
    return (edges + edges.mT) / 2 * apart


ARCHITECTURES = {"gcn": GCN, "gat": GAT}
