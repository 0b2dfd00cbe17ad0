"""Every way to bring a model, and every network of the zoo, on another device: the CPU's answers and gradients."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from probe import Space, adapters, zoo
from probe.cli.sources import _placed
from probe.errors import Unsupported
from probe.explainers import KernelShap, Saliency
from tests.accelerator.comparing import assert_same, outcome
from tests.adapters.huggingface import image, text
from tests.adapters.test_onnx import graph
from tests.adapters.test_timm import Pooled
from tests.light import one_of_each_architecture

SPACE = Space(reference=torch.zeros(1, 3))
ROWS = torch.rand(3, 3, generator=torch.Generator().manual_seed(0))


def module(folder):
    layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).eval()
    return adapters.from_module(layers, SPACE, ("a", "b"), "mine"), ROWS


def factory(folder):
    (folder / "brought.py").write_text("from torch import nn\ndef build():\n    return nn.Linear(3, 2)\n")
    return adapters.from_module(adapters.from_factory("brought:build", None), SPACE, ("a", "b"), "mine"), ROWS


def black_box(folder):
    def predict_proba(rows):
        return np.stack([rows.mean(1), 1 - rows.mean(1)], 1)

    return adapters.from_predict_proba(predict_proba, SPACE, ("a", "b")), ROWS


def estimator(folder):
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2)
    return adapters.from_estimator(fitted, SPACE, ("a", "b")), ROWS


def onnx_file(folder):
    onnx.save(graph(), folder / "m.onnx")
    return adapters.from_onnx(folder / "m.onnx", SPACE, ("a", "b")), ROWS


def transformers_text(folder):
    where = text(folder / "reviews")
    return adapters.from_transformers(where, length=6), adapters.token_ids(where, ["a good film", "bad"], 6)


def transformers_image(folder):
    return adapters.from_transformers(image(folder / "pictures")), torch.rand(2, 3, 16, 16)


def timm_network(folder):
    """As from_timm makes it: a network after its preparation."""
    from probe.adapters.images import ImageNetwork, Preparation

    prepare = Preparation(resize=8, crop=(8, 8), mean=(0.5, 0.4, 0.3), deviation=(0.2, 0.3, 0.4))
    network = ImageNetwork(Pooled(3, {}), prepare, lambda inner, images: inner(images)).eval()
    return adapters.from_module(network, prepare.space(), ("a", "b", "c"), "pooled"), torch.rand(2, 3, 8, 8)


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 2)

    def forward(self, one, two):
        return self.head(torch.cat([one.flatten(1), two], 1))


def parts(folder):
    spaces = [Space(reference=torch.zeros(1, 2, 2)), Space(reference=torch.zeros(1, 2))]
    return adapters.from_parts(Both().eval(), spaces, ("a", "b")), torch.rand(3, 6)


WAYS = {
    "from_parts": [parts],
    "from_module": [module],
    "from_factory": [factory],
    "from_predict_proba": [black_box],
    "from_estimator": [estimator],
    "from_onnx": [onnx_file],
    "from_transformers": [transformers_text, transformers_image],
    "from_timm": [timm_network],
}
STAYS = (black_box, estimator)  # where it computes


def test_every_adapter_is_tested_on_the_device():
    assert set(WAYS) == {name for name in adapters.__all__ if name.startswith("from_")}


@pytest.mark.parametrize("make", [make for ways in WAYS.values() for make in ways], ids=lambda make: make.__name__)
def test_adapted_models_give_the_cpus_outputs_on_the_device(device, make, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    model, inputs = make(tmp_path)
    ways = [
        lambda: model.predict(inputs),
        lambda: Saliency()(model, inputs),
        lambda: KernelShap(coalitions=0 if inputs.ndim == 2 else 2 * 64)(model, inputs[:1]),
    ]
    expected = [outcome(way) for way in ways]
    if make in STAYS:
        with pytest.raises(
            Unsupported, match="a black box, which cannot be moved to a device; leave --device pretend out"
        ):
            _placed(model, "pretend")
    else:
        assert _placed(model, "pretend").device == device
    inputs = inputs.to(device)
    for found, told in zip([outcome(way) for way in ways], expected, strict=True):
        assert_same(found, told, torch.device("cpu") if make in STAYS else device)


@pytest.mark.parametrize("name", one_of_each_architecture())
def test_zoo_networks_give_the_cpus_outputs_on_the_device(device, name):
    model, there = zoo.load(name), zoo.load(name, device=device)
    inputs = model.space.reference[:3]
    assert there.device == device
    found, expected = (each.logits(each.check(inputs)).cpu() for each in (there, model))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    if model.embed is not None:
        inputs = model.points(model.check(inputs))
        model, there = model.over_embeddings(), there.over_embeddings()
    slopes = [each.gradient(inputs.to(each.device), lambda z: z.sum(1))[1].cpu() for each in (model, there)]
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-3, atol=1e-3)
