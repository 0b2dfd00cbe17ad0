"""`probe export`: a network as an ONNX file, opened again by probe's own reader of ONNX files."""

import json
import sys
from functools import cache

import pytest
import torch
from probe_models.networks import build, drawn, start
from probe_models.networks.recurrent import GRU, LSTM
from probe_models.zoo.export import _Whole, onnx_of, with_layers
from torch import nn

from probe import Space, from_onnx, zoo
from tests.cli.conftest import call
from tests.models.conftest import SHAPES, SMALL

TEXTS = {
    "lstm": {"words": 20, "width": 4, "hidden": 4},
    "gru": {"words": 20, "width": 4, "hidden": 4},
    "text-cnn": {"words": 20, "width": 4, "filters": 4},
    "text-transformer": {"words": 20, "tokens": 6, "width": 4, "heads": 2},
    "gpt": {"words": 20, "tokens": 6, "width": 4, "heads": 2},
}
GRAPHS = {
    "gcn": {"features": 1, "widths": [4], "classes": 2},
    "gat": {"features": 1, "widths": [4], "heads": 2, "classes": 2},
}
SERIES = {
    "tcn": {"channels": 2, "widths": [4, 8], "classes": 2},
    "series-gru": {"channels": 2, "stretch": 4, "width": 4, "hidden": 3, "classes": 2},
}
FAKES = {
    "autoencoder": {"side": 8, "widths": [4, 6], "code": 3},
    "vae": {"side": 8, "widths": [4, 6], "code": 3},
    "gan": {"side": 8, "widths": [4, 6], "code": 3},
}
NUMBERS = {"mlp-regressor": {"numbers": 2, "onehots": 3, "bins": 4, "widths": [8], "outputs": 2}}
ALL = SMALL | NUMBERS | TEXTS | GRAPHS | SERIES | FAKES
# An ONNX file of these takes seconds; together they have each operator of torch that any of the networks has, but for
# the root that gcn divides by.
FILED = ("lenet", "ftt", "lstm", "gru", "series-gru", "text-cnn", "gpt", "gat", "vae")
OPERATORS = {
    "add", "alias", "amax", "batch_norm", "cat", "chunk", "clamp", "conv1d", "conv2d", "conv_transpose2d", "detach",
    "div", "einsum", "embedding", "exp", "expand", "eye", "flatten", "flip", "gelu", "gru", "gt", "layer_norm",
    "leaky_relu", "linear", "lstm", "mT", "matmul", "max_pool2d", "mean", "mul", "neg", "permute", "relu", "rsub",
    "scaled_dot_product_attention", "select", "sigmoid", "slice", "split_with_sizes", "square", "squeeze", "stack",
    "sub", "sum", "sym_size", "transpose", "unbind", "unflatten", "unsqueeze", "view", "view_as", "where", "zeros",
    "rsqrt",
}  # fmt: skip


def rows_for(architecture):
    random = torch.Generator().manual_seed(0)
    if architecture in TEXTS:
        words = 2 if architecture in ("lstm", "gru") else 6  # torch traces a recurrent layer word by word
        return torch.randint(20, (7, words), generator=random)
    shapes = SHAPES | dict.fromkeys(GRAPHS, (5, 6)) | dict.fromkeys(SERIES, (2, 8)) | dict.fromkeys(FAKES, (1, 8, 8))
    return torch.rand(7, *shapes.get(architecture, (5,)), generator=random)


@pytest.fixture(scope="module", autouse=True)
def _operators_read_once():
    """What torch reads anew for each export, from the source of each operator: a second and a half."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


def network_of(architecture):
    network, rows = build(architecture, ALL[architecture]), rows_for(architecture)
    start(network, rows, torch.Generator().manual_seed(0))
    return network.eval(), rows


def assert_the_same(answer, network, rows):
    for count in (1, 2, 7):
        with torch.no_grad():
            expected = network.logits(rows[:count])
        torch.testing.assert_close(answer(rows[:count]).to(expected), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", FILED)
def test_an_exported_onnx_file_gives_the_networks_outputs_for_any_number_of_rows(architecture, tmp_path):
    """A recurrent network is exported by an operator, forwards and backwards, and not word by word."""
    import onnx

    network, rows = network_of(architecture)
    content = onnx_of(network, rows)
    if architecture in ("gru", "lstm"):
        kinds = [node.op_type for node in onnx.load_from_string(content).graph.node]
        assert kinds.count(architecture.upper()) == 2
    (tmp_path / "m.onnx").write_bytes(content)
    model = from_onnx(tmp_path / "m.onnx", Space(bounds=(0.0, 20.0), reference=rows.float()), ("a", "b"))
    assert_the_same(model.forward, network, rows)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", sorted(ALL.keys() - set(FILED)))
def test_what_other_files_are_made_of_takes_any_number_of_rows_and_has_no_operator_but_those(architecture):
    network, rows = network_of(architecture)
    pair = rows[:1].expand(2, *rows.shape[1:]).contiguous()
    program = torch.export.export(_Whole(network), (pair,), dynamic_shapes=({0: torch.export.Dim("rows")},))
    calls = [node.target for node in program.graph.nodes if node.op == "call_function"]
    found = {call.overloadpacket.__name__ for call in calls if isinstance(call, torch._ops.OpOverload)}
    assert found <= OPERATORS, "export a network that has it, in FILED, and name it in OPERATORS"
    assert_the_same(program.module(), network, rows)


@pytest.mark.parametrize("unit", [GRU, LSTM])
def test_a_recurrent_unit_is_a_layer_of_torchs_own_with_the_same_states(unit):
    written, words = drawn(lambda: unit(4, 3), 0).eval(), rows_for("gru").float()[..., None].expand(-1, -1, 4)
    before = torch.get_rng_state()
    layer = with_layers(nn.Sequential(written))[0]
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(layer.layer, nn.RNNBase)
    torch.testing.assert_close(layer(words), written(words), atol=1e-6, rtol=0)


@pytest.mark.slow  # as long as torch takes to export
def test_export_writes_a_file_that_answers_as_the_network_of_the_zoo_and_names_its_classes(tmp_path, monkeypatch):
    import onnx

    monkeypatch.chdir(tmp_path)
    assert "Saved in german-mlp.onnx" in call("export", "german-mlp", code=0).stdout
    model, data = zoo.load("german-mlp"), zoo.data("german-mlp")
    read = from_onnx("german-mlp.onnx", data.space, data.classes)
    for count in (1, 2, 7):
        torch.testing.assert_close(
            read.logits(data.inputs[:count]), model.logits(data.inputs[:count]), atol=1e-5, rtol=0
        )
    kept = {entry.key: entry.value for entry in onnx.load("german-mlp.onnx").metadata_props}
    assert kept["weights_sha256"] == zoo.card("german-mlp")["weights"]["sha256"]
    assert json.loads(kept["classes"]) == list(data.classes)
    own = from_onnx("german-mlp.onnx")
    assert own.task == model.task
    assert own.space.names == data.space.names
    assert torch.equal(own.space.reference, model.space.reference)
    assert "exists and is left as it is" in call("export", "german-mlp", code=2).stderr


def test_export_refuses_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "there is no model 'german-mpl'; did you mean 'german-mlp'?" in call("export", "german-mpl", code=2).stderr
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    said = call("export", "german-mlp", code=2).stderr
    assert 'made with onnxscript, which is not installed; pip install "onnx>=1.17" "onnxscript>=0.5"' in said
