"""The inside of a network: layers, what they give, and edits that leave nothing behind."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from probe import Model, Prediction, Space, from_estimator, from_predict_proba, zoo
from probe.attacks import PGD
from probe.errors import ContractError, ForwardError, ProbeError, RangeError, ShapeError, Unsupported
from probe.explainers import IntegratedGradients
from tests.light import one_of_each_architecture


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear, self.relu = nn.Linear(width, width), nn.ReLU(inplace=True)

    def forward(self, x):
        return x + self.relu(self.linear(x))


class Own(nn.Module):
    """Somebody's network: a state and a sequence in one layer's answer, one layer shared, one never called."""

    def __init__(self):
        super().__init__()
        self.read = nn.LSTM(3, 4, batch_first=True)
        self.blocks = nn.ModuleList(Block(4) for _ in range(3))
        self.relu = nn.ReLU()
        self.head, self.spare = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        _, (state, _) = self.read(x)
        x = self.relu(state[0])
        for block in self.blocks:
            x = self.relu(block(x))
        return self.head(x)


def drawn(module):
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.5)
    return module.eval()


def rows(count, seed=1):
    return torch.rand(count, 5, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def own():
    return Model(forward=drawn(Own()), space=Space(reference=torch.zeros(1, 5, 3)), classes=("a", "b", "c"))


def hooks(model):
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.forward.modules() for kind in kinds)


def called(model, inputs):
    """The layers that a forward calls once, by hand."""
    count, handles = dict.fromkeys(model.layers(), 0), []
    for name, layer in model.layers().items():

        def hook(*_, name=name):
            count[name] += 1

        handles.append(layer.register_forward_hook(hook))
    model(inputs)
    for handle in handles:
        handle.remove()
    return [name for name, times in count.items() if times == 1]


def test_layers_have_the_names_of_named_modules(own):
    assert dict(own.layers()) == {name: layer for name, layer in own.forward.named_modules() if name}
    tied = nn.Sequential(OrderedDict(a=(relu := nn.ReLU()), b=nn.Linear(3, 3), c=relu))
    assert list(Model(forward=tied.eval()).layers()) == ["a", "b", "c"]


def test_activations_equal_hooks_by_hand(own):
    x, kept = rows(4), {}
    names = ("read", "blocks.1", "blocks.1.linear", "head")
    handles = [
        own.layers()[name].register_forward_hook(lambda _, __, out, name=name: kept.setdefault(name, out))
        for name in ("read", "head")
    ]
    with torch.no_grad():
        own(x)
    for handle in handles:
        handle.remove()
    found = own.activations(x, at=names)
    assert tuple(found) == names
    assert torch.equal(found["head"], kept["head"])
    assert torch.equal(found["read"][0], kept["read"][0])
    assert torch.equal(found["read"][1][1], kept["read"][1][1])
    # The block's ReLU works in place on what its linear layer gave.
    with torch.no_grad():
        before = own.layers()["blocks.1.linear"](own.activations(x, "blocks.0")["blocks.0"].relu())
    assert torch.equal(found["blocks.1.linear"], before)
    assert bool((before < 0).any())
    assert not any(found[name].requires_grad for name in names[1:])


def test_activations_of_several_passes_are_those_of_one(own):
    x, names = rows(7), ("read", "blocks.2", "relu#1")
    together, apart = own.activations(x, names), replace(own, batch_size=2).activations(x, names)
    single = replace(own, batch_size=1).activations(x, names)
    for other in (apart, single):
        torch.testing.assert_close(other["read"], together["read"])
        assert other["read"][1][0].shape == (1, 7, 4)
        torch.testing.assert_close(other["blocks.2"], together["blocks.2"])
        torch.testing.assert_close(other["relu#1"], together["relu#1"])
    assert torch.equal(together["relu#1"], together["relu#1"].clamp(min=0))


class Meets(nn.Module):
    def forward(self, x):
        return x @ x.T


class Packs(nn.Module):
    def forward(self, x):
        return nn.utils.rnn.pack_padded_sequence(x, torch.full((len(x),), 5), batch_first=True)


class Odd(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(3, 2)

    def forward(self, x):
        self.layer(x if isinstance(self.layer, Packs) else x[:, 0])
        return self.head(x[:, 0])


@pytest.mark.parametrize(("layer", "message"), [(Meets(), "two rows"), (Packs(), "packed sequence")])
def test_activations_that_passes_cannot_join_are_refused(layer, message):
    model = Model(forward=drawn(Odd(layer)))
    assert "layer" in model.activations(rows(3), "layer")
    with pytest.raises(Unsupported, match=message):
        replace(model, batch_size=2).activations(rows(3), "layer")


def test_an_identity_edit_changes_no_bit(own):
    x = rows(6)
    names = called(own, x)
    assert {"read", "blocks.0", "blocks.0.relu", "head"} <= set(names)
    with own.edited(dict.fromkeys(names, lambda output: output)) as other:
        assert torch.equal(other(x), own(x))
        assert torch.equal(other.gradient(x, lambda z: z[:, 0])[1], own.gradient(x, lambda z: z[:, 0])[1])
    assert hooks(own) == 0


def test_patching_all_layers_of_one_row_into_another_gives_its_output(own):
    a, b = rows(4, seed=1), rows(4, seed=2)
    names = called(own, a)
    of_b = own.activations(b, names)
    with own.edited({name: lambda _, name=name: of_b[name] for name in names}) as patched:
        assert torch.equal(patched(a), own(b))
        assert not torch.equal(own(a), own(b)), "the model itself answers as before"
    with own.edited({"read": lambda _: of_b["read"]}) as patched:
        assert torch.equal(patched(a), own(b))


def test_an_edit_gets_a_copy_and_may_work_in_place(own):
    x = rows(3)

    def silence(output):
        output[:, 1] = 0
        return output

    with own.edited({"blocks.2": silence}) as other:
        found = other(x)
    by_hand = own.layers()["head"](silence(own.activations(x, "blocks.2")["blocks.2"]).relu())
    assert torch.equal(found, by_hand)


def test_nested_edits_are_made_in_their_order_and_end_by_themselves(own):
    x = rows(3)
    whole = own.activations(x, "blocks.2")["blocks.2"]
    head = own.layers()["head"]
    with own.edited({"blocks.2": lambda out: out + 1}) as first:
        with first.edited({"blocks.2": lambda out: out * 2}) as second:
            assert torch.equal(second(x), head(((whole + 1) * 2).relu()))
            assert torch.equal(second.activations(x, "blocks.2")["blocks.2"], (whole + 1) * 2)
        assert torch.equal(first(x), head((whole + 1).relu()))
        with pytest.raises(ProbeError, match="are removed where their block ends"):
            second(x)
    with pytest.raises(ProbeError, match="are removed where their block ends"):
        first(x)
    assert hooks(own) == 0


def test_nothing_is_left_behind_after_an_exception(own):
    kept = own.forward.read.register_forward_hook(lambda *_: None)
    before, x = hooks(own), rows(2)

    def broken(_):
        raise KeyError("no")

    def stops(_):
        raise KeyboardInterrupt

    for edit, error in ((broken, ForwardError), (stops, KeyboardInterrupt), (lambda out: out[:1], ShapeError)):
        with pytest.raises(error), own.edited({"blocks.0": edit, "head": lambda out: out}) as other:
            other(x)
        assert hooks(own) == before == 1
    with pytest.raises(ValueError, match="mine"), own.edited({"head": lambda out: out}):
        raise ValueError("mine")
    kept.remove()
    assert hooks(own) == 0


def test_a_layer_that_is_never_called_or_called_often_is_refused_by_name(own):
    x = rows(2)
    for ask in (lambda name: own.activations(x, name), lambda name: _ask_edited(own, name, x)):
        with pytest.raises(Unsupported, match=r"never calls the layer 'spare'"):
            ask("spare")
        with pytest.raises(Unsupported, match=r"never calls the layer 'blocks'"):
            ask("blocks")
        with pytest.raises(Unsupported, match=r"calls the layer 'relu' several times.*'relu#0'"):
            ask("relu")
        with pytest.raises(Unsupported, match=r"has no call 'relu#4': .* calls .* 4 times .*last call is 'relu#3'"):
            ask("relu#4")
        with pytest.raises(RangeError, match=r"no layer 'block.1' \(did you mean 'blocks.1'\?\); it has read, blocks"):
            ask("block.1")
        with pytest.raises(RangeError, match=r"names no call of 'relu'; the first is 'relu#0'"):
            ask("relu#last")
        ask("relu#3")
    assert hooks(own) == 0


def _ask_edited(model, name, x):
    with model.edited({name: lambda out: out}) as other:
        return other(x)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda out: None, ShapeError, r"returned nothing, expected the layer.s output"),
        (lambda out: out[:1], ShapeError, r"returned \(1, 4\) where the layer gave \(2, 4\).*batch_size"),
        (lambda out: (out, out), ShapeError, r"returned tuple of \(2, 4\), \(2, 4\) where"),
        ("zeros", ContractError, r"is a str, expected a function"),
    ],
)
def test_an_invalid_edit_is_refused_in_one_sentence(own, edit, error, message):
    with pytest.raises(error, match=message), own.edited({"blocks.0": edit}) as other:
        other(rows(2))


def test_explainers_and_attacks_take_an_edited_model(own):
    x = rows(3)
    with own.edited({"blocks.0": lambda out: out * 0, "blocks.1": lambda out: out * 0}) as other:
        maps = IntegratedGradients()(other, x)
        assert maps.values.abs().max() == 0
        assert IntegratedGradients()(own, x).values.abs().max() > 0
        moved = PGD(eps=0.5)(other, x, other.predict(x))
    assert torch.equal(moved.perturbed, x), "nothing that is put in changes what comes out"
    assert own.usage.forward > 0


def test_predictions_of_an_edited_model_are_not_the_models_own(own):
    x, labels = rows(3), torch.tensor([0, 1, 2])
    assert own.digest() is not None
    with own.edited({"head": lambda out: out.flip(1)}) as other:
        assert other.digest() is None
        answer = Prediction.of(other, x, labels)
        assert answer.is_of(other)
        assert not answer.is_of(own)
        assert not Prediction.of(own, x, labels).is_of(other)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit is one, and still met
def test_compiled_scripted_and_black_box_models_refuse_internals():
    linear = nn.Linear(3, 2).eval()
    boxes = {
        "is a function to torch": Model(forward=lambda x: linear(x)),
        "has no layers that torch can see": Model(forward=linear),
        "is scripted": Model(forward=torch.jit.trace(nn.Sequential(linear).eval(), torch.rand(1, 3)).eval()),
        "is compiled": Model(forward=torch.compile(nn.Sequential(linear).eval())),
        "model is a function to torch": from_predict_proba(lambda x: np.full((len(x), 2), 0.5), Space(), ("a", "b")),
    }
    for message, box in boxes.items():
        with pytest.raises(Unsupported, match=message):
            box.layers()
        with pytest.raises(Unsupported, match=message):
            box.activations(torch.rand(2, 3), "0")
        with pytest.raises(Unsupported, match=message), box.edited({"0": lambda out: out}):
            pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_part_that_is_compiled_is_left_out_and_named():
    compiled = nn.Sequential(nn.Linear(3, 3))
    compiled.compile()
    scripted = torch.jit.trace(nn.Sequential(nn.Linear(3, 3)), torch.rand(1, 3))
    model = Model(forward=nn.Sequential(compiled, scripted, nn.Linear(3, 2)).eval())
    assert list(model.layers()) == ["2"]
    for name, why in {
        "0": "compiled",
        "0.0": "compiled",
        "1": "scripted",
        "1.0": "scripted",
        "0#1": "compiled",
    }.items():
        with pytest.raises(Unsupported, match=rf"the layer '{name[0]}' of model is {why}"):
            model.activations(torch.rand(2, 3), name)
    assert model.activations(torch.rand(2, 3), "2")["2"].shape == (2, 2)


def test_an_estimator_and_an_onnx_file_have_no_layers(tmp_path):
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    estimator = LogisticRegression().fit(x, np.arange(20) % 2)
    with pytest.raises(Unsupported, match="is a function to torch"):
        from_estimator(estimator, Space(reference=torch.zeros(1, 3))).layers()
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    value = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None, 3]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    from probe import from_onnx

    model = from_onnx(tmp_path / "net.onnx", Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 3)), ("a", "b", "c"))
    with pytest.raises(Unsupported, match=r"net .* has no layers that torch can see"):
        model.layers()


@pytest.mark.parametrize("name", one_of_each_architecture())
def test_every_architecture_of_the_zoo_has_activations_and_can_be_edited_and_patched(name):
    model, data = zoo.load(name), zoo.data(name)
    a, b = model.check(data.inputs[:2]), model.check(data.inputs[2:4])
    names = called(model, a)
    assert names
    with model.edited(dict.fromkeys(names, lambda output: output)) as same:
        assert torch.equal(same(a), model(a))
    of_b = model.activations(b, names)
    with model.edited({layer: lambda _, layer=layer: of_b[layer] for layer in names}) as patched:
        if name in ("fashion-ae", "fashion-vae"):  # they compare what they rebuild with the input, which no layer gives
            assert bool((patched(a)[:, 1] > model(a)[:, 1]).all()), "clothes that are rebuilt as others are unusual"
        else:
            assert torch.equal(patched(a), model(b))
    assert hooks(model) == 0


def test_edits_that_are_no_edits_are_refused_with_what_to_write():
    model, inputs = Model(forward=nn.Sequential(nn.Linear(2, 3)).eval()), torch.rand(2, 2)
    for edits, message in (
        (None, "edits are None, expected a mapping from names of layers to functions; write .'0': lambda output"),
        ([("0", abs)], "edits are a list, expected a mapping"),
        ({"0": 3}, "the edit of '0' is an int, expected a function"),
        ({"0": lambda output: None}, "the edit of '0' returned nothing, .*end it with `return`"),
    ):
        with pytest.raises((ContractError, ShapeError), match=message), model.edited(edits) as other:
            other.logits(inputs)


def test_what_a_layer_is_given_is_read_and_edited_like_what_it_gives(own):
    x = rows(4)
    seen = own.activations(x, at=("blocks.1@input", "blocks.0", "relu#1", "relu#1@input", "head@input"))
    assert torch.equal(seen["blocks.1@input"], seen["relu#1"])
    assert torch.equal(seen["relu#1@input"], seen["blocks.0"])
    with own.edited({"head@input": lambda given: given * 0}) as blank:
        assert torch.equal(blank.logits(x), own.forward.head.bias.expand(4, 3))
    with own.edited({"head": lambda output: output + 1, "head@input": lambda given: given * 2}) as both:
        torch.testing.assert_close(both.logits(x), own.forward.head(seen["head@input"] * 2) + 1)
    with pytest.raises(
        Unsupported, match="several times in one forward; name one of the calls, such as 'relu#0@input'"
    ):
        own.activations(x, at="relu@input")
    with pytest.raises(RangeError, match="has no layer 'nine'"):
        own.activations(x, at="nine@input")
    assert not any(module._forward_pre_hooks for module in own.forward.modules())
