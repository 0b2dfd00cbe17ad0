import json

import pytest
import torch

from models.networks import DEEPEST, build, start
from models.networks.mlp import Bins
from models.zoo.recipes import RECIPES
from probe.errors import DataError


def test_logits_of_a_row_do_not_depend_on_its_batch(network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    network.eval()
    together = network(easy.inputs[:7])
    assert together.shape == (7, 2)
    torch.testing.assert_close(torch.cat([network(row[None]) for row in easy.inputs[:7]]), together)


def test_gradients_reach_every_weight(network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    network(easy.inputs).pow(2).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    assert all(bool(p.isfinite().all()) for p in network.state_dict().values())


def test_building_and_starting_leave_global_randomness_alone(network, easy):
    before = torch.get_rng_state()
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_bins_are_full_below_a_number_and_empty_above_it():
    bins = Bins(numbers=1, bins=3)
    bins.adapt(torch.tensor([[0.0], [10.0], [20.0], [40.0]]))
    assert bins(torch.tensor([[25.0], [0.0], [40.0]])).tolist() == [[1, 1, 0.25], [0, 0, 0], [1, 1, 1]]


def test_bins_that_no_value_needs_stay_empty():
    bins = Bins(numbers=1, bins=3)
    bins.adapt(torch.tensor([[0.0], [10.0]]))
    assert bins(torch.tensor([[5.0], [10.0]])).tolist() == [[0.5, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("architecture", "kwargs", "message"),
    [
        ("transformer", {}, "no architecture 'transformer'"),
        ("cnn", {"depth": 3}, "cannot be built"),
        ("cnn", {"channels": "wide"}, "expected whole numbers"),
        ("cnn", {"channels": [10**9]}, "expected whole numbers"),
        ("vit", {"layers": 10**9}, "expected whole numbers"),
        ("lstm", {"words": 10**9}, "expected a whole number from 1 to 65536"),
        ("mlp", {"numbers": 4096, "onehots": 1, "bins": 4096, "widths": [4096]}, "bytes of weights"),
    ],
)
def test_what_cannot_be_built_is_refused_before_memory_is_taken(architecture, kwargs, message):
    with pytest.raises(DataError, match=message):
        build(architecture, kwargs)


@pytest.mark.parametrize(
    ("architecture", "kwargs", "found"),
    [
        ("resnet", {"widths": [1] * 64, "blocks": 4096}, r"64 \(widths\) x 4096 \(blocks\)"),
        ("resnet", {"blocks": 4096}, r"3 \(widths\) x 4096 \(blocks\)"),
        ("vit", {"width": 4, "layers": 4096}, r"4096 \(layers\)"),
    ],
)
def test_many_parts_of_few_weights_are_refused_before_any_is_built(architecture, kwargs, found, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "__init__", lambda module: pytest.fail("something was built"))
    with pytest.raises(DataError, match=f"would have {found} parts, more than 1,024"):
        build(architecture, kwargs)


@pytest.mark.parametrize("name", RECIPES)
def test_the_zoo_needs_a_small_share_of_the_parts(name, monkeypatch):
    monkeypatch.setattr("models.networks.DEEPEST", DEEPEST // 16)
    build(RECIPES[name].architecture, json.loads(json.dumps(dict(RECIPES[name].kwargs))))
