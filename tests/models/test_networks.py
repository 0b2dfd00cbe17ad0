import inspect
import json
import sys
from importlib import import_module
from pkgutil import iter_modules

import probe_models
import pytest
import torch
from jaxtyping import TypeCheckError, install_import_hook
from probe_models.networks import ARCHITECTURES, DEEPEST, build, start
from probe_models.networks.dropout import Dropout
from probe_models.networks.mlp import Bins
from probe_models.zoo.recipes import RECIPES

from probe.errors import DataError
from tests.models import test_generative, test_graph_networks, test_text_networks
from tests.models.conftest import SHAPES, SMALL

# Every architecture with small arguments, not only those that the fixture `network` goes through.
KWARGS = {
    **SMALL,
    "mlp-regressor": {"numbers": 2, "onehots": 3, "bins": 4, "widths": [8], "outputs": 2},
    **test_text_networks.SMALL,
    **test_graph_networks.KWARGS,
    **dict.fromkeys(("autoencoder", "vae", "gan"), test_generative.SMALL),
    "tcn": {"channels": 2, "widths": [4, 8], "classes": 2},
    "series-gru": {"channels": 2, "stretch": 3, "width": 8, "hidden": 6, "classes": 2},
}
# What is dropped of a row on its way through such a network: the shapes, in order.
DROPPED = {
    "mlp": [(8,)],
    "mlp-regressor": [(8,)],
    "ftt": [(1, 8), (1, 8)],  # the last layer only asks what becomes of one token
    "image-mlp": [(16,)],
    "lenet": [(120,), (84,)],
    "cnn": [(8 * 2 * 2,)],
    "resnet": [(8,)],
    "vit": [(2 * 2, 8), (2 * 2, 8)],
    "text-cnn": [(12, 8), (2 * 6 + 8,)],
    "lstm": [(12, 8), (2 * 6,)],
    "gru": [(12, 8), (2 * 6,)],
    "text-transformer": [*5 * [(12, 8)], (8,)],
    "gpt": 6 * [(12, 8)],
    "gcn": [(7, 7)],
    "gat": [(7, 7)],
    "tcn": [(8,)],
    "series-gru": [(2 * 6,)],
}
CHECK = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"


def rows(architecture, count=6):
    """Random inputs of that architecture."""
    if architecture in test_text_networks.SMALL:
        return test_text_networks.sentences(count)
    if architecture in test_graph_networks.KWARGS:
        return test_graph_networks.graphs(0, count).float()
    if architecture in ("tcn", "series-gru"):
        return torch.rand(count, 2, 12, generator=torch.Generator().manual_seed(0))
    return torch.rand(
        count,
        *(SHAPES | {"mlp-regressor": (5,)}).get(architecture, (1, 8, 8)),
        generator=torch.Generator().manual_seed(0),
    )


@pytest.fixture(scope="module")
def checked():
    """The networks once more, with the shapes in their types checked at every call."""
    with pytest.MonkeyPatch.context() as patch, install_import_hook("probe_models.networks", CHECK):
        patch.setattr(probe_models, "networks", probe_models.networks)
        for name in [name for name in sys.modules if name.startswith("probe_models.networks")]:
            patch.delitem(sys.modules, name)
        yield import_module("probe_models.networks")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_networks_keep_to_the_shapes_in_their_types(checked, architecture):
    network, inputs = checked.build(architecture, KWARGS[architecture]), rows(architecture)
    checked.start(network, inputs, torch.Generator().manual_seed(0))
    network.logits(inputs).sum().backward()
    for method in ("errors", "encode", "reconstruct"):
        getattr(network, method, len)(inputs)
    if hasattr(network, "elbo"):
        network.elbo(inputs, torch.zeros(len(inputs), network.code))
    if hasattr(network, "generate"):
        network.generate(3, torch.Generator().manual_seed(0))
    with pytest.raises(TypeCheckError):
        network.logits(inputs[0])


@pytest.mark.parametrize("module", [module.name for module in iter_modules(probe_models.networks.__path__)])
def test_no_function_of_a_network_takes_or_gives_a_tensor_without_its_shape(module):
    module = import_module(f"probe_models.networks.{module}")
    kinds = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    for place in (module, *kinds):
        for name, function in inspect.getmembers(place, inspect.isfunction):
            if function.__module__ == module.__name__:
                assert torch.Tensor not in inspect.get_annotations(function).values(), f"{place.__name__}.{name}"


def test_logits_of_a_row_do_not_depend_on_its_batch(network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    network.eval()
    together = network(easy.inputs[:7])
    assert together.shape == (7, 2)
    torch.testing.assert_close(torch.cat([network(row[None]) for row in easy.inputs[:7]]), together)


@pytest.mark.parametrize("shape", [(1, 13, 18), (3, 18, 13)])
@pytest.mark.parametrize(
    "architecture",
    [name for name, kind in ARCHITECTURES.items() if name == "resnet" or "side" in inspect.signature(kind).parameters],
)
def test_networks_for_images_take_any_height_and_width_grey_or_in_colour(architecture, shape):
    sides = {} if architecture == "resnet" else {"side": list(shape[1:])}
    network = build(architecture, KWARGS[architecture] | sides | {"channels": shape[0]})
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    start(network, images, torch.Generator().manual_seed(0))
    assert network(images).shape == (5, 2)
    for method in ("reconstruct", "draw"):
        if made := getattr(network, method, None):
            assert made(torch.rand(5, network.code) if method == "draw" else images).shape == images.shape


@pytest.mark.parametrize("side", [[8], [8, 8, 8], [0, 8], "8", [8.0, 8]])
def test_invalid_heights_and_widths_are_refused(side):
    with pytest.raises(DataError, match="the pixels a side of a square, or \\[height, width\\]"):
        build("cnn", {"side": side})


def test_gradients_reach_every_weight(network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    network(easy.inputs).pow(2).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    assert all(bool(p.isfinite().all()) for p in network.state_dict().values())


def test_building_and_starting_leave_global_randomness_alone(network, easy):
    before = torch.get_rng_state()
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_every_architecture_with_dropout_documents_it():
    able = [name for name, kind in ARCHITECTURES.items() if "dropout" in inspect.signature(kind).parameters]
    assert sorted(DROPPED) == sorted(able)


@pytest.mark.parametrize("architecture", DROPPED)
def test_dropout_matters_wherever_it_is_applied(architecture):
    network = build(architecture, KWARGS[architecture] | {"dropout": 0.5})
    inputs, dropped, spared = rows(architecture), [], None
    start(network, inputs, torch.Generator().manual_seed(0))

    def spare(module, arguments, outputs):
        dropped.append(tuple(outputs.shape[1:]))
        return arguments[0] if len(dropped) - 1 == spared else outputs

    for module in network.modules():
        if isinstance(module, Dropout):
            module.register_forward_hook(spare)
    network.reseed(1)
    usual = network.logits(inputs)
    assert dropped == DROPPED[architecture]
    for spared in range(len(dropped)):  # by turns: the draws of the others stay as they were
        dropped.clear()
        network.reseed(1)
        assert not torch.allclose(network.logits(inputs), usual), f"dropping {DROPPED[architecture][spared]} is in vain"


def test_bins_are_full_below_a_number_and_empty_above_it():
    bins = Bins(numbers=1, bins=3)
    bins.adapt(torch.tensor([[0.0], [10.0], [20.0], [40.0]]))
    assert bins(torch.tensor([[25.0], [0.0], [40.0]])).tolist() == [[[1, 1, 0.25]], [[0, 0, 0]], [[1, 1, 1]]]


def test_bins_that_no_value_needs_stay_empty():
    bins = Bins(numbers=1, bins=3)
    bins.adapt(torch.tensor([[0.0], [10.0]]))
    assert bins(torch.tensor([[5.0], [10.0]])).tolist() == [[[0.5, 0, 0]], [[1, 0, 0]]]


@pytest.mark.parametrize(
    ("architecture", "kwargs", "message"),
    [
        ("transformer", {}, "no architecture 'transformer'"),
        ("cnn", {"depth": 3}, "cnn has no argument 'depth'; there are widths, side"),
        ("vit", {"width": 8, "heads": 3}, "cannot be built"),
        ("cnn", {"widths": "wide"}, "expected whole numbers"),
        ("cnn", {"widths": [10**9]}, "expected whole numbers"),
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
def test_networks_of_the_zoo_are_far_below_the_limit_of_modules(name, monkeypatch):
    monkeypatch.setattr("probe_models.networks.DEEPEST", DEEPEST // 16)
    build(RECIPES[name].architecture, json.loads(json.dumps(dict(RECIPES[name].kwargs))))
