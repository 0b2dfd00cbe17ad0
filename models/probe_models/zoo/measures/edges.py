"""Do explanations of a graph point at the edges that are the reason for its label?"""

import torch

from probe import Dataset, Model
from probe.explainers import IntegratedGradients
from probe.statistics import area_under_roc, bootstrapped, mean
from probe.tensors import generator
from probe_models.datasets import motifs

GRAPHS = 500


def edge_attribution_auc(model: Model, data: Dataset) -> dict[str, float]:
    """How well the values of integrated gradients put a motif's edges before the others, as an area under ROC curve.

    Explained is the model's answer for the first 500 graphs of the test split. Areas are by graph, among the edges
    that it has: those that it lacks have the value 0 by construction and would only flatter. Values count with their
    sign, as a motif's edges should speak for the answer. The figure is the mean over graphs with a 95 % bootstrap
    interval, beside that of a random order, which is about 1/2.
    """
    data = data[:GRAPHS]
    assert data.rows is not None
    true = motifs.motif("test")[data.rows]
    inputs = data.inputs.to(model.device)
    values = IntegratedGradients()(model, inputs).values.cpu()
    random = torch.rand(values.shape, generator=generator(0, torch.device("cpu")))
    nodes = motifs.NODES
    first, second = torch.triu_indices(nodes, nodes, 1)
    areas = {}
    for name, scores in (("edge_attribution_auc", values), ("random_edge_auc", random)):
        # Of the two places of an edge; the networks average them.
        edges = (scores[:, :, :nodes] + scores[:, :, :nodes].mT)[:, first, second].double().numpy()
        there, positive = data.inputs[:, first, second].numpy() > 0, true[:, first, second].numpy()
        by_graph = [area_under_roc(e[t], p[t]) for e, t, p in zip(edges, there, positive, strict=True)]
        areas[name] = bootstrapped(torch.tensor(by_graph).double().numpy(), mean, seed=0)
    return {
        name + part: value
        for name, found in areas.items()
        for part, value in zip(("", "_low", "_high"), found[:3], strict=True)
    } | {"edge_attribution_graphs": float(len(data))}
