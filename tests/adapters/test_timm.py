"""Networks of timm. The library itself imports torchvision, which is not installed here: a stand-in takes its place.

By hand it was run against timm 1.0.31, with torchvision's names stubbed: resnet18 with and without tags,
vit_tiny_patch16_224, mobilenetv3_small_100 and efficientnet_b0, and a folder of timm.models.save_for_hf.
"""

import json
import sys
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from probe import from_timm
from probe.adapters import timm_classes
from probe.errors import DataError, PlanError, ProbeError, ShapeError, Unsupported

CONFIG = {"input_size": (3, 8, 8), "crop_pct": 0.8, "interpolation": "bilinear", "mean": (0.5, 0.4, 0.3),
          "std": (0.2, 0.3, 0.4)}  # fmt: skip
TAGGED = CONFIG | {"crop_pct": 1.0, "interpolation": "bicubic", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)}
REGISTERED = {"pooled": CONFIG, "pooled.first_in1k": CONFIG, "pooled.other_in22k": TAGGED}


class Pooled(nn.Module):
    """The mean of each channel, weighed."""

    def __init__(self, classes, config):
        super().__init__()
        self.fc = nn.Linear(3, classes)
        self.pretrained_cfg = config

    def forward(self, x):
        return self.fc(x.mean((2, 3)))


def stand_in():
    """Like timm, it lists names without tags, takes them with, and refuses those that are not registered."""

    def config(name):
        if not library.is_model(name):
            return None
        if name not in REGISTERED:
            raise RuntimeError(f"Invalid pretrained tag ({name.partition('.')[2]}) for {name.partition('.')[0]}.")
        return REGISTERED[name]

    def create(name, *, pretrained, num_classes, **shape):
        if not library.is_model(name):
            raise RuntimeError(f"Unknown model ({name})")
        return Pooled(num_classes, config(name))

    library = ModuleType("timm")
    library.list_models = lambda: ["pooled"]
    library.is_model = lambda name: name.partition(".")[0] in library.list_models()
    library.get_pretrained_cfg, library.create_model = config, create
    return library


@pytest.fixture(autouse=True)
def timm(monkeypatch):
    library = stand_in()
    monkeypatch.setitem(sys.modules, "timm", library)
    return library


@pytest.fixture
def weights(tmp_path):
    random = torch.Generator().manual_seed(0)
    save_file({"fc.weight": torch.randn(2, 3, generator=random), "fc.bias": torch.zeros(2)}, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_brightness_goes_in_and_timms_own_preparation_happens_inside(weights):
    state = torch.get_rng_state()
    model = from_timm("pooled", weights, ("a", "b"))
    assert torch.equal(torch.get_rng_state(), state)
    assert model.space.reference.shape == (1, 3, 10, 10)  # 8 / 0.8, of which the middle is taken
    images = torch.rand(4, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    prepared = (images[..., 1:9, 1:9] - torch.tensor(CONFIG["mean"])[:, None, None]) / torch.tensor(CONFIG["std"])[:, None, None]  # fmt: skip  # noqa: E501
    torch.testing.assert_close(model(images), model.forward.network(prepared))


def test_the_classes_come_from_the_folder(weights, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    weights.rename(folder / "model.safetensors")
    args = {"num_classes": 2, "in_chans": 3, "global_pool": "avg"}
    config = {
        "architecture": "pooled",
        "num_classes": 2,
        "model_args": args,
        "pretrained_cfg": {"label_names": ["cat", "dog"]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    model = from_timm(f"local-dir:{folder}")
    assert (model.name, model.classes) == ("mine", ("cat", "dog"))
    as_saved = config | {"label_names": ["dog", "cat"], "pretrained_cfg": {}}
    (folder / "config.json").write_text(json.dumps(as_saved))
    assert from_timm(f"local-dir:{folder}").classes == timm_classes(f"local-dir:{folder}") == ("dog", "cat")
    (folder / "config.json").write_text(json.dumps(config | {"model_args": args | {"checkpoint_path": "x.pth"}}))
    with pytest.raises(Unsupported, match="arguments of its own"):
        from_timm(f"local-dir:{folder}")
    (folder / "config.json").write_text("{}")
    with pytest.raises(DataError, match="names no architecture"):
        from_timm(f"local-dir:{folder}")


def test_weights_are_local_and_fit(weights):
    for spec in ("pooled", "hf-hub:timm/pooled"):
        with pytest.raises(PlanError, match="none are downloaded"):
            from_timm(spec, None if spec == "pooled" else weights)
    with pytest.raises(ShapeError, match=r"fc\.bias: the file has \(2,\), the module \(3,\)"):
        from_timm("pooled", weights, ("a", "b", "c"))
    for name in ("poled", "poled.first_in1k", "timm/pooled.first_in1k"):
        with pytest.raises(PlanError, match=f"no architecture '{name.partition('.')[0]}'"):
            from_timm(name, weights)
    with pytest.raises(PlanError, match=r"no weights 'third' of pooled; timm\.list_pretrained\('pooled\*'\)"):
        from_timm("pooled.third", weights)


@pytest.mark.parametrize("spec", REGISTERED)
def test_the_weights_of_a_tag_get_the_preparation_of_that_tag(weights, spec):
    model = from_timm(spec, weights, ("a", "b"))
    prepare, config = model.forward.prepare, REGISTERED[spec]
    assert (prepare.mean, prepare.deviation, prepare.mode, prepare.crop, prepare.resize, model.name) == (
        config["mean"], config["std"], config["interpolation"], (8, 8), int(8 / config["crop_pct"]), spec,
    )  # fmt: skip


def test_what_does_not_fit_takes_no_memory(weights, timm):
    built = []
    create = timm.create_model
    timm.create_model = lambda *a, **k: built.append(create(*a, **k)) or built[-1]
    with pytest.raises(ShapeError):
        from_timm("pooled", weights, tuple("abc"))
    assert [p.device.type for net in built for p in net.parameters()] == ["meta", "meta"]


def test_without_the_library_the_error_says_how_to_install_it(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ProbeError, match=r'needs timm.*pip install .*"timm>=1.0.20"'):
        from_timm("pooled", weights)
