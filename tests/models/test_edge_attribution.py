import numpy as np
import pytest
import torch
from probe_models.datasets import motifs
from probe_models.zoo.measures import measure
from sklearn.metrics import roc_auc_score

from probe import Model

ROWS = 40


@pytest.fixture(scope="module")
def data():
    return motifs.read("test")[torch.arange(100, 100 + ROWS)]


def weighing(data, edges_of):
    """A model whose first logit is the weighted sum of a graph's edges; it knows each graph by its edges."""
    known = {row.bool().numpy().tobytes(): edges for row, edges in zip(edges_in(data.inputs), edges_of, strict=True)}

    def forward(graphs):
        edges = edges_in(graphs)
        weights = [known.get((e > 0).numpy().tobytes(), torch.zeros(e.shape)) for e in edges]
        total = (edges * torch.stack(weights)).sum((1, 2))
        return torch.stack([total + 100, *[total * 0] * 3], 1)

    return Model(forward=forward, space=motifs.space(), classes=motifs.CLASSES)


def edges_in(graphs):
    return graphs[:, :, : motifs.NODES]


@pytest.mark.parametrize(("sign", "area"), [(1, 1.0), (-1, 0.0)])
def test_edge_attribution_auc_is_1_or_0_for_perfect_orders(data, sign, area):
    model = weighing(data, sign * motifs.motif("test")[data.rows].float())
    found = measure("edge attribution")(model, data)
    assert [found[f"edge_attribution_auc{part}"] for part in ("", "_low", "_high")] == [area] * 3
    assert found["edge_attribution_graphs"] == ROWS


def test_edge_attribution_auc_is_averaged_over_graphs(data):
    weights = torch.rand(ROWS, motifs.NODES, motifs.NODES, generator=torch.Generator().manual_seed(3))
    weights = weights + weights.mT
    areas = []
    for graph, value, true in zip(edges_in(data.inputs), weights, motifs.motif("test")[data.rows], strict=True):
        there = [(i, j) for i in range(motifs.NODES) for j in range(i) if graph[i, j]]
        areas.append(roc_auc_score([bool(true[e]) for e in there], [float(value[e]) for e in there]))
    found = measure("edge attribution")(weighing(data, weights), data)
    assert found["edge_attribution_auc"] == pytest.approx(np.mean(areas))
    assert found["edge_attribution_auc_low"] < np.mean(areas) < found["edge_attribution_auc_high"]
    assert found["random_edge_auc"] == pytest.approx(0.5, abs=0.1)
