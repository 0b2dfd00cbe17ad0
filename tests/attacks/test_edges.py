"""On a linear model of edges every flip's effect is known, so the best ones can be listed."""

from itertools import combinations, pairwise

import pytest
import torch
from torch import Tensor

from probe import Model, Space, load
from probe.attacks import FGSM, PGD, GradArgmax
from probe.errors import ContractError, RangeError, ShapeError, Unsupported

NODES = 5
PAIRS = list(combinations(range(NODES), 2))


def space(fixed: tuple[tuple[int, int], ...] = (), form: str = "graph") -> Space:
    mutable = torch.cat([~torch.eye(NODES).bool(), torch.zeros(NODES, 1).bool()], 1)
    for i, j in fixed:
        mutable[i, j] = False
    return Space(mutable=mutable, form=form, reference=torch.zeros(1, NODES, NODES + 1))


def linear(**fields) -> Model:
    weight = torch.randn(NODES, NODES, 2, generator=torch.Generator().manual_seed(1))
    return Model(
        forward=lambda g: torch.einsum("bij,ijc->bc", g[:, :, :NODES], weight) + torch.tensor([3.0, 0.0]),
        space=space(**fields),
    )


def curved() -> Model:
    """Three classes of a function that bends."""
    random = torch.Generator().manual_seed(2)
    first = torch.randn(NODES * NODES, 12, generator=random)
    second = torch.randn(12, 3, generator=random)

    def forward(graphs: Tensor) -> Tensor:
        edges = graphs[:, :, :NODES]
        return torch.tanh((edges + edges.mT).flatten(1) @ first / 2) @ second

    return Model(forward=forward, space=space())


def graphs(rows: int = 8) -> Tensor:
    edges = (torch.rand(rows, NODES, NODES, generator=torch.Generator().manual_seed(3)) > 0.5).float().triu(1)
    return torch.cat([edges + edges.mT, torch.ones(rows, NODES, 1)], 2)


def flipped(graph: Tensor, pairs) -> Tensor:
    other = graph.clone()
    for i, j in pairs:
        other[i, j] = other[j, i] = 1 - other[i, j]
    return other


def margin(model: Model, graphs: Tensor, labels: Tensor) -> Tensor:
    logits = model.logits(graphs)
    others = logits.clone().scatter_(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None])[:, 0] - others.logsumexp(1)


@pytest.mark.parametrize("eps", [1, 2, 3])
def test_on_a_linear_model_no_other_flips_lower_the_margin_more(eps):
    model, inputs = linear(), graphs()
    labels = model.predict(inputs)
    result = GradArgmax(eps=eps)(model, inputs, labels)
    for graph, label, found in zip(inputs, labels, result.perturbed, strict=True):
        tried = torch.stack([flipped(graph, chosen) for k in range(eps + 1) for chosen in combinations(PAIRS, k)])
        least = margin(model, tried, label.expand(len(tried))).min()
        reached = margin(model, found[None], label[None])[0]
        # One that has fallen needs no more flips.
        assert reached < 0 or reached == pytest.approx(float(least), abs=1e-4)
        assert (reached < 0) == (least < 0)


def test_when_every_flip_is_tried_one_flip_breaks_what_any_flip_breaks():
    model, inputs = curved(), graphs(30)
    labels = model.predict(inputs)
    every = torch.stack([torch.stack([flipped(graph, [pair]) for pair in PAIRS]) for graph in inputs])
    answers = model.predict(every.flatten(0, 1)).view(len(inputs), -1)
    breakable = (answers != labels[:, None]).any(1)
    assert 0 < breakable.sum() < len(inputs)
    assert torch.equal(GradArgmax(eps=1, candidates=len(PAIRS))(model, inputs, labels).success, breakable)


@pytest.mark.parametrize("eps", [0, 1, 4])
def test_edges_are_flipped_in_both_places_and_no_more_than_asked(eps):
    model, inputs = curved(), graphs(30)
    result = GradArgmax(eps=eps)(model, inputs, model.predict(inputs))
    edges = result.perturbed[:, :, :NODES]
    assert torch.equal(edges, edges.mT)
    assert set(edges.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(result.perturbed[:, :, NODES:], inputs[:, :, NODES:])
    assert int((result.perturbed != inputs).sum((1, 2)).max()) <= 2 * eps
    assert not bool(edges.diagonal(dim1=1, dim2=2).any())


def test_more_flips_succeed_at_least_as_often():
    model, inputs = curved(), graphs(30)
    labels = model.predict(inputs)
    fallen = [GradArgmax(eps=eps)(model, inputs, labels).success for eps in range(5)]
    assert all(bool((few <= many).all()) for few, many in pairwise(fallen))
    assert not bool(fallen[0].any())
    assert bool(fallen[-1].any())


def test_an_edge_with_an_immutable_entry_is_not_flipped():
    model, inputs = linear(fixed=((0, 1), (3, 2))), graphs(30)
    moved = GradArgmax(eps=10)(model, inputs, model.predict(inputs)).perturbed != inputs
    for i, j in ((0, 1), (1, 0), (2, 3), (3, 2)):
        assert not bool(moved[:, i, j].any())
    assert bool(moved.any())


def test_gradargmax_is_deterministic_and_independent_of_the_batch():
    model, inputs = curved(), graphs(6)
    labels, attack = model.predict(inputs), GradArgmax(eps=2)
    together = attack(model, inputs, labels).perturbed
    alone = torch.cat([attack(model, x[None], y[None]).perturbed for x, y in zip(inputs, labels, strict=True)])
    assert torch.equal(together, alone)
    assert torch.equal(attack(model, inputs, labels).perturbed, together)


def test_an_attack_result_is_saved_and_loaded_unchanged(tmp_path):
    model, inputs = curved(), graphs(3)
    result = GradArgmax(eps="2")(model, inputs, model.predict(inputs))
    result.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert again.method == GradArgmax(eps=2)
    assert torch.equal(again.perturbed, result.perturbed)


def test_attacks_that_follow_gradients_may_move_the_relaxed_edges_of_a_graph():
    model, inputs = curved(), graphs(6)
    labels = model.predict(inputs)
    for attack in (FGSM(eps=0.1), PGD(eps=0.1, steps=3)):
        moved = attack(model, inputs, labels).perturbed
        assert torch.equal(moved, torch.cat([moved[:, :, :NODES].mT, moved[:, :, NODES:]], 2))
        assert bool(((moved > 0) & (moved < 1)).any())


def test_inputs_that_are_not_graphs_are_refused():
    inputs = graphs(2)
    with pytest.raises(Unsupported, match=r"grad_argmax moves edges, and model reads numbers; choose an attack that"):
        GradArgmax()(linear(form=""), inputs, torch.zeros(2, dtype=torch.long))
    flat = Model(forward=lambda x: 3 * x[:, :2], space=Space(form="graph"))
    with pytest.raises(ShapeError, match=r"shape \(6,\), expected a graph: an adjacency"):
        GradArgmax()(flat, torch.eye(1, 6), torch.zeros(1, dtype=torch.long))
    with pytest.raises(RangeError, match=r"GradArgmax.eps = 1.5, expected a whole number"):
        GradArgmax(eps=1.5)


def test_an_attack_that_exceeds_its_edge_budget_is_refused():
    class Cheat(GradArgmax):
        def perturb(self, model, inputs, labels):
            return torch.stack([flipped(graph, PAIRS[:2]) for graph in inputs])

    model, inputs = linear(), graphs(2)
    with pytest.raises(ContractError, match="exceeded its budget: changed 2 edges, 1 allowed"):
        Cheat(eps=1)(model, inputs, model.predict(inputs))


def test_a_graph_of_one_node_has_no_edge_to_change():
    graphs = torch.rand(3, 1, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.0, 1, 1, 1])
    space = Space(form="graph", bounds=(0, 1), reference=torch.zeros(1, 1, 4))
    model = Model(forward=lambda x: torch.stack([-x.sum((1, 2)), x.sum((1, 2))], 1), space=space)
    found = GradArgmax(eps=3)(model, graphs, model.predict(graphs))
    assert torch.equal(found.perturbed, graphs)
    assert not found.success.any()
