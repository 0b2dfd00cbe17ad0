"""What holds for every explainer."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space, registry
from tests.explainers.conftest import Times
from tests.light import explainers_of_any_row

# Those that need layers need convolutions: test_maps.py, and test_contracts.py for all.
EXPLAINERS = [method() for method in explainers_of_any_row().values()]
EXPLAINERS += [registry.discover("explainer")[name](**s) for name, s in (
    ("kernel_shap", {"coalitions": 40}), ("lime", {"samples": 40}), ("integrated_gradients", {"output": "probability"}),
)]  # fmt: skip
for_all = pytest.mark.parametrize("method", EXPLAINERS, ids=str)


@for_all
def test_a_result_depends_neither_on_the_batch_nor_on_the_pass(network, rows, monkeypatch, method):
    model, x = network(6, 4), rows(5, 6)
    together = method(model, x).values
    apart = torch.cat([method(model, x[i : i + 1]).values for i in (3, 0, 4, 1, 2)])
    assert_close(apart, together[[3, 0, 4, 1, 2]], rtol=1e-6, atol=1e-9)
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 6 * 3})
    assert_close(method(model, x).values, together, rtol=1e-6, atol=1e-9)


@for_all
def test_model_and_inputs_are_left_as_they_were(method):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2)).eval()
        x = torch.rand(3, 5)
    model = Model(forward=module, space=Space(reference=torch.full((2, 5), 0.5)))
    digest, before = model.digest(), x.clone()
    values = method(model, x).values
    assert model.digest() == digest
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert not any(m.training or m._forward_hooks or m._backward_hooks for m in module.modules())
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert values.dtype == x.dtype
    assert not values.requires_grad


@for_all
def test_the_cost_has_backward_passes_only_where_gradients_are_needed(network, rows, method):
    cost = method(network(), rows(2, 8), torch.tensor([0, 1])).cost
    assert cost.forward >= 2
    assert (cost.backward > 0) == ("gradients" in method.needs)


class Twice(nn.Module):
    def forward(self, x):
        return x * 2


@for_all
def test_swapping_two_features_swaps_their_values(rows, method):
    source = torch.Generator().manual_seed(1)
    weight = torch.randn(6, 2, generator=source, dtype=torch.float64)
    order = torch.tensor([2, 0, 5, 1, 4, 3])

    def build(weights):
        space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 6, dtype=torch.float64))
        return Model(forward=nn.Sequential(Twice(), nn.Tanh(), Times(weights)).eval(), space=space)

    config = method.config()
    if "draws" in config or 0 < config.get("coalitions", 0) < 62 or config.get("samples", 1000) < 64:
        pytest.skip("a sample is not symmetric")
    x = rows(3, 6)
    targets = torch.tensor([0, 1, 0])
    plain, moved = method(build(weight), x, targets), method(build(weight[order]), x[:, order], targets)
    assert_close(moved.values, plain.values[:, order], rtol=1e-6, atol=1e-9)


def additive(weights):
    """A model whose outputs are sums of functions of single features."""
    space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, len(weights), dtype=torch.float64))
    return Model(forward=nn.Sequential(Twice(), nn.Tanh(), Times(weights)).eval(), space=space)


@for_all
def test_a_feature_that_is_not_used_gets_nothing(rows, method):
    if method.name() == "rise":
        pytest.skip("it gets the mean output, as every feature does that is there half of the time")
    if method.name() == "lime":
        method = replace(method, ridge=0.0)  # which else draws it towards 0, and with it others from their values
    weights = torch.randn(6, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights[2] = 0.0
    values = method(additive(weights), rows(3, 6), torch.tensor([0, 1, 0])).values
    assert float(values[:, 2].abs().max()) <= 1e-9
    assert float(values[:, [0, 1, 3, 4, 5]].abs().min()) > 0


@for_all
def test_the_values_of_a_sum_of_two_outputs_are_the_sums_of_theirs(rows, method):
    if method.name() == "var_grad":
        pytest.skip("a variance is not linear")
    if method.config().get("output") == "probability":
        pytest.skip("probabilities of a sum are no sums")
    weights = torch.randn(6, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model, x = additive(torch.cat([weights, weights.sum(1, keepdim=True)], 1)), rows(3, 6)
    one, two, both = (method(model, x, torch.full((3,), at)).values for at in range(3))
    assert_close(both, one + two, rtol=1e-5, atol=1e-8)
