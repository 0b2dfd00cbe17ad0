"""Graph networks, beside replicas that loop over the nodes."""

import math
from operator import mul

import pytest
import torch
from probe_models.networks import build, start
from probe_models.networks.graph import Attention, Convolution, DropEdge, adjacency
from torch.autograd import gradcheck

from probe.errors import DataError

KWARGS = {
    "gcn": {"features": 2, "widths": [6, 4], "classes": 3},
    "gat": {"features": 2, "widths": [6, 4], "heads": 2, "classes": 3},
}
NODES = 7


def graphs(seed, count=3):
    """Random graphs with weighted edges, some of them absent."""
    random = torch.Generator().manual_seed(seed)
    weights = torch.rand(count, NODES, NODES, generator=random, dtype=torch.float64)
    edges = (weights * (weights > 0.4)).triu(1)
    known = torch.rand(count, NODES, 2, generator=random, dtype=torch.float64)
    return torch.cat([edges + edges.mT, known], 2)


@pytest.fixture(params=KWARGS)
def network(request):
    network = build(request.param, KWARGS[request.param])
    start(network, graphs(0, 50).float(), torch.Generator().manual_seed(0))
    network.double().train()(graphs(0, 50))  # batch norm sees some nodes
    return network.eval()


def convolved(layer, nodes, edges):
    """D^-1/2 A D^-1/2 h W, one node after another."""
    said = [[sum(map(mul, row, node)) for row in layer.linear.weight.tolist()] for node in nodes.tolist()]
    edges = edges.tolist()
    degree = [sum(row) for row in edges]
    return [
        [
            sum(edges[i][j] / math.sqrt(degree[i] * degree[j]) * said[j][k] for j in range(len(nodes)))
            for k in range(len(said[0]))
        ]
        for i in range(len(nodes))
    ]


def attended(layer, nodes, edges):
    """Each head's mean of its neighbours, weighted by edge and exponential of the score, one node after another."""
    said = [[float(w @ h) for w in layer.linear.weight.detach()] for h in nodes.detach()]
    _, heads, width = layer.score.shape
    heard = [[] for _ in nodes]
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        listen, speak = layer.score[:, head].tolist()
        for i in range(len(nodes)):
            weights = []
            for j in range(len(nodes)):
                e = sum(a * h for a, h in zip(listen + speak, said[i][part] + said[j][part], strict=True))
                weights.append(float(edges[i, j]) * math.exp(e if e > 0 else 0.2 * e))
            for k in range(part.start, part.stop):
                heard[i].append(sum(w * said[j][k] for j, w in enumerate(weights)) / sum(weights))
    return heard


def random_layer(kind, *sizes):
    layer, random = kind(*sizes).double(), torch.Generator().manual_seed(1)
    for weight in layer.parameters():
        weight.data = torch.randn(weight.shape, generator=random, dtype=torch.float64)
    return layer


def with_self(graph):
    return adjacency(graph) + torch.eye(NODES)


def test_a_convolution_is_what_its_equation_says():
    layer, graph = random_layer(Convolution, 2, 3), graphs(1)
    nodes, edges = graph[:, :, NODES:], with_self(graph)
    slow = [convolved(layer, n, e) for n, e in zip(nodes, edges, strict=True)]
    torch.testing.assert_close(layer(nodes, edges), torch.tensor(slow, dtype=torch.float64))


def test_attention_is_what_its_equation_says():
    layer, graph = random_layer(Attention, 2, 6, 3), graphs(1)
    nodes, edges = graph[:, :, NODES:], with_self(graph)
    slow = [attended(layer, n, e) for n, e in zip(nodes, edges, strict=True)]
    torch.testing.assert_close(layer(nodes, edges), torch.tensor(slow, dtype=torch.float64))


def test_a_graph_network_applies_its_layers_in_order(network):
    graph = graphs(2, 1)
    edges = adjacency(graph)
    degrees = (edges.sum(2) - network.standardise.mean) / network.standardise.deviation
    nodes = torch.cat([graph[:, :, NODES:], degrees[:, :, None]], 2)[0]
    for layer, norm in zip(network.rounds, network.norms, strict=True):
        slow = convolved if isinstance(layer, Convolution) else attended
        heard = torch.tensor(slow(layer, nodes, with_self(graph)[0]), dtype=torch.float64)
        scaled = (heard - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        nodes = (scaled * norm.weight + norm.bias).clamp(min=0)
    logits = network.head.weight @ nodes.mean(0) + network.head.bias
    torch.testing.assert_close(network(graph)[0], logits - logits.mean())


@pytest.mark.parametrize("architecture", KWARGS)
def test_the_answer_is_the_same_when_nodes_are_renumbered(architecture):
    for seed in range(20):
        network = build(architecture, KWARGS[architecture])
        start(network, graphs(0, 50).float(), torch.Generator().manual_seed(seed))
        network.double().eval()
        graph, order = graphs(seed), torch.randperm(NODES, generator=torch.Generator().manual_seed(seed))
        columns = torch.cat([order, torch.arange(NODES, NODES + 2)])
        torch.testing.assert_close(network(graph[:, order][:, :, columns]), network(graph))


def test_an_absent_edge_has_no_influence(network):
    """What a node says reaches no node to which there is no path."""
    apart = graphs(3)
    apart[:, :3, 3:NODES] = apart[:, 3:NODES, :3] = 0
    changed = apart.clone()
    changed[:, 3:, NODES:] += 1
    heard = {}
    for name, graph in (("before", apart), ("after", changed)):
        edges = adjacency(graph)
        nodes = torch.cat([graph[:, :, NODES:], network.standardise(edges.sum(2, keepdim=True))], 2)
        for layer, norm in zip(network.rounds, network.norms, strict=True):
            out = layer(nodes, edges + torch.eye(NODES))
            nodes = norm(out.flatten(0, 1)).view_as(out).relu()
        heard[name] = nodes
    assert torch.equal(heard["before"][:, :3], heard["after"][:, :3])
    assert not torch.equal(heard["before"][:, 3:], heard["after"][:, 3:])


def test_both_entries_of_an_edge_count_equally_and_the_diagonal_is_ignored(network):
    graph = graphs(4)
    uneven, looped = graph.clone(), graph.clone()
    uneven[:, 1, 2] += 0.2
    uneven[:, 2, 1] -= 0.2
    looped[:, range(NODES), range(NODES)] = 1
    torch.testing.assert_close(network(uneven), network(graph))
    assert torch.equal(network(looped), network(graph))


def test_gradients_by_edges_are_finite_and_exact_also_without_any_edge(network):
    # Off the bounds of ReLU, which has no gradient at 0.
    empty = graphs(5, 1)
    empty[:, :, :NODES] = 0
    for graph in (graphs(5, 1), empty):
        assert gradcheck(network, graph.requires_grad_(), atol=1e-6)
    (slope,) = torch.autograd.grad(network(empty).square().sum(), empty)
    apart = ~torch.eye(NODES, dtype=torch.bool)
    assert bool((slope[0, :, :NODES][apart] != 0).any())
    torch.testing.assert_close(slope[0, :, :NODES], slope[0, :, :NODES].T)


def test_logits_of_a_graph_network_sum_to_zero(network):
    torch.testing.assert_close(network(graphs(6)).sum(1), torch.zeros(3, dtype=torch.float64))


def test_scores_of_any_size_leave_attention_finite():
    layer = random_layer(Attention, 2, 6, 3)
    layer.score.data *= 1e4
    graph = graphs(1)
    assert bool(layer(graph[:, :, NODES:], with_self(graph)).isfinite().all())


def test_edge_dropout_removes_both_entries_in_training_only():
    drop, edges = DropEdge(0.3), adjacency(graphs(7, 400)).bool().double()
    drop.dropout.reseed(0)
    kept = drop.train()(edges)
    assert torch.equal(kept, kept.mT)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert not bool((kept > edges).any())
    share = float(kept.sum() / edges.sum())
    assert abs(share - 0.7) < 4 * math.sqrt(0.21 / float(edges.sum() / 2))
    assert torch.equal(drop.eval()(edges), edges)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(DataError, match="6 numbers cannot be divided among 4 heads"):
        build("gat", KWARGS["gat"] | {"heads": 4})
