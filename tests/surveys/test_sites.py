"""Layers, units and heads that are taken out or patched: every site of small networks by hand, and a known circuit."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Dataset, Model, Regression, Space, zoo
from probe.errors import RangeError, ShapeError, Unsupported
from probe.surveys import Ablation, ActivationPatching
from tests.test_internals import drawn

FREE = Space(bounds=(-99.0, 99.0))


class Tokens(nn.Module):
    """Tokens of three numbers go through two layers; the answer is read at the last of them."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.head = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def by_hand(self, x, instead=None):
        """The logits where `instead` says what takes the place of (layer, token)."""
        instead = instead or {}
        first = self.swapped(self.one(x), instead.get("one"))
        second = first + first.tanh().mean(1, keepdim=True)
        second = self.swapped(self.two(second), instead.get("two"))
        return self.swapped(self.head(second.cumsum(1)[:, -1]), instead.get("head"))

    def forward(self, x):
        return self.by_hand(x)

    @staticmethod
    def swapped(own, change):
        if change is None:
            return own
        at, other = change
        found = own.clone()
        found[:, at] = other.expand_as(own)[:, at]
        return found


class Heads(nn.Module):
    """Attention of two heads whose parts have the usual names."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head((x + self.attention(x)).mean(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads, self.qkv, self.proj = 2, nn.Linear(4, 12), nn.Linear(4, 4)

    def mixed(self, x):
        q, k, v = (part.unflatten(2, (2, 2)).transpose(1, 2) for part in self.qkv(x).chunk(3, 2))
        return ((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)

    def forward(self, x):
        return self.proj(self.mixed(x))


def made(network, *shape, rows=6, **given):
    model = Model(forward=drawn(network), space=FREE, **given)
    x = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(3)) * 2
    return model, Dataset(x, torch.zeros(rows, dtype=torch.long), space=FREE)


def outputs(logits, *targets):
    one, other = targets
    rows = torch.arange(len(logits))
    return logits[rows, one] - logits[rows, other] * (one != other)


@torch.no_grad()
@pytest.mark.parametrize("into", ["corrupted", "clean"])
def test_patching_every_site_is_that_by_hand(into):
    model, data = made(Tokens(), 5, 3)
    net, clean, dirty = model.forward, data.inputs, data.inputs.roll(1, 0)
    targets = model.predict(clean), model.predict(dirty)
    source, target = (clean, dirty) if into == "corrupted" else (dirty, clean)
    there = model.activations(source, at=("one", "two", "head"))
    before, whole = outputs(net(target), *targets), outputs(net(clean), *targets) - outputs(net(dirty), *targets)
    expected, names = [], []
    for layer, places in (("one", 5), ("two", 5), ("head", 2)):
        for at in range(places):
            after = outputs(net.by_hand(target, {layer: (at, there[layer])}), *targets)
            expected.append(after - before if into == "corrupted" else before - after)
            names.append(f"{layer}, unit {at}")
    method = ActivationPatching(part="unit", into=into)
    found = method.between(model, clean, dirty)
    sign = whole.sign()[:, None]
    assert_close(found[:, :, 0], torch.stack(expected, 1) * sign)
    assert_close(found[:, :, 1], whole.abs()[:, None].expand(6, 12))
    assert method.items(model, clean) == tuple(names)
    small = replace(model, batch_size=4)
    assert_close(method.between(small, clean, dirty), found)
    layers = ActivationPatching(into=into, layers=("one", "head")).between(model, clean, dirty)
    assert_close(layers[:, :, 0], layers[:, :, 1])  # all that differs goes through each


class Circuit(nn.Module):
    """A hand-set circuit: token 0 is copied to the last by the layer `move`; nothing else reaches the answer."""

    def __init__(self):
        super().__init__()
        self.read, self.move, self.head = nn.Linear(2, 2, bias=False), nn.Identity(), nn.Linear(2, 2, bias=False)

    def forward(self, x):
        tokens = self.read(x)
        moved = torch.cat([tokens[:, :-1], self.move(tokens[:, :1])], 1)
        return self.head(moved[:, -1])


def test_a_hand_set_circuit_is_found_and_nothing_else():
    network = Circuit()
    for layer in (network.read, network.head):
        nn.init.eye_(layer.weight)
    x = torch.tensor([[[4.0, 0], [5, 5], [0, 9]], [[0, 4], [5, 2], [3, 0]]])
    model, data = Model(forward=network.eval(), space=FREE), Dataset(x, torch.tensor([0, 1]), space=FREE)
    found = ActivationPatching(layers=("read", "move", "head"), part="unit")(model, data)
    value = found.to_frame().set_index("item")["value"].to_dict()
    assert value == {
        "read, unit 0": 1.0, "read, unit 1": 0.0, "read, unit 2": 0.0, "move, unit 0": 1.0,
        "head, unit 0": 0.5, "head, unit 1": 0.5,
    }  # fmt: skip
    lost = Ablation(layers=("read",), part="unit")(model, data).to_frame()["value"].tolist()
    assert lost == [2.0, 0.0, 0.0]


@torch.no_grad()
def test_what_is_lost_is_that_by_hand_for_the_mean_and_for_nothing():
    model, data = made(Tokens(), 5, 3)
    net, x, rows = model.forward, data.inputs, torch.arange(6)
    targets = model.predict(x)
    for by in ("mean", "zero"):
        found = Ablation(part="unit", layers=("one", "two"), by=by)(model, data).evidence
        assert_close(
            Ablation(part="unit", layers=("one", "two"), by=by)(replace(model, batch_size=4), data).evidence, found
        )
        expected = []
        for layer in ("one", "two"):
            mean = model.activations(x, at=layer)[layer].mean(0, keepdim=True) * (by == "mean")
            expected += [net(x)[rows, targets] - net.by_hand(x, {layer: (at, mean)})[rows, targets] for at in range(5)]
        assert_close(found, torch.stack(expected, 1))
    chances = Ablation(layers=("head",), by="zero", output="probability")(model, data).evidence[:, 0]
    assert_close(chances, net(x).softmax(1)[rows, targets] - 0.5)


@torch.no_grad()
@pytest.mark.parametrize("heads", [None, 4])
def test_heads_are_those_that_the_attention_joins(heads):
    model, data = made(Heads(), 3, 4)
    net, x = model.forward, data.inputs
    found = Ablation(part="head", heads=heads, by="zero")(model, data)
    targets, rows, width = model.predict(x), torch.arange(6), 4 // (heads or 2)
    for at, item in enumerate(found.items):
        mixed = net.attention.mixed(x)
        mixed[:, :, at * width : (at + 1) * width] = 0
        without = net.head((x + net.attention.proj(mixed)).mean(1))
        assert_close(found.evidence[:, at], net(x)[rows, targets] - without[rows, targets])
        assert item == f"attention, head {at}"
    assert len(found.items) == (heads or 2)


def test_a_regression_is_patched_by_its_number_and_may_fall():
    model, data = made(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), 2, task=Regression(("price",)))
    data = Dataset(data.inputs, data.inputs[:, 0], space=FREE)
    method = ActivationPatching(layers=("0", "1"))
    found = method(model, data).to_frame()["value"].tolist()
    assert found == pytest.approx([1.0, 1.0])
    parts = ActivationPatching(layers=("2@input",), part="unit")(model, data).to_frame()["value"]
    assert parts.sum() == pytest.approx(1.0, abs=1e-5)  # a linear layer adds them up


def test_partners_are_the_next_with_another_answer_or_the_reference():
    model, data = made(nn.Sequential(nn.Linear(2, 2), nn.Identity()), 2)
    decided = model.predict(data.inputs).tolist()
    partners = ActivationPatching()._partners(model, data.inputs)
    for row, partner in enumerate(partners):
        after = [at % 6 for at in range(row + 1, row + 6) if decided[at % 6] != decided[row]]
        assert torch.equal(partner, data.inputs[after[0] if after else row])
    reference = replace(model, space=Space(bounds=(-99.0, 99.0), reference=torch.tensor([[0.0, 2], [4, 0]])))
    assert torch.equal(
        ActivationPatching(corrupted="reference")._partners(reference, data.inputs)[0], torch.tensor([2.0, 1])
    )


def test_the_parts_of_networks_of_the_zoo_are_found():
    network = zoo.load("repeats-gpt")
    assert [*Ablation()._parts(network)] == ["words", "layers.0", "layers.1", "norm", "head"]
    assert Ablation(part="head").items(network, zoo.data("repeats").inputs[:2]) == tuple(
        f"layers.{layer}.attend.1, head {at}" for layer in (0, 1) for at in range(4)
    )


def test_what_cannot_be_changed_is_refused_with_what_can():
    model, data = made(nn.Sequential(nn.Linear(2, 2), nn.Identity()), 2)
    with pytest.raises(RangeError, match="has no layer 'nine'"):
        Ablation(layers=("nine",))(model, data)
    with pytest.raises(RangeError, match=r"axis = 2, and the layer '0' gives \(2, 2\), whose first axis is the rows"):
        Ablation(layers=("0",), part="unit", axis=2)(model, data)
    with pytest.raises(Unsupported, match="has no layer of attention, so no heads; set part to layer or unit"):
        Ablation(part="head")(model, data)
    with pytest.raises(Unsupported, match="gives the same ones to all rows and their partners"):
        ActivationPatching().between(model, data.inputs, data.inputs)
    with pytest.raises(ShapeError, match="give a corrupted input for each clean one"):
        ActivationPatching().between(model, data.inputs, data.inputs[:2])
    with pytest.raises(Unsupported, match="has none; set Space"):
        ActivationPatching(corrupted="reference")(model, data)
    heads, tokens = made(Heads(), 3, 4)
    with pytest.raises(RangeError, match=r"heads = 3, and 'attention.proj' of model joins 4 numbers of each token"):
        Ablation(part="head", heads=3)(heads, tokens)
