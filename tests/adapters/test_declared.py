"""What config.json of a folder declares is held against its weights, and no ordinary folder is refused for it."""

import json
import threading

import pytest
import torch

from probe import from_transformers
from probe.errors import DataError
from tests.adapters.huggingface import SMALL, TEXT, config_of, image, text

CONVOLUTIONS = {"hidden_sizes": [8, 16], "depths": [1, 2], "num_labels": 3}
RESNET = "ResNet", CONVOLUTIONS | {"embedding_size": 8, "layer_type": "basic"}
ALBERT = "Albert", TEXT | {"embedding_size": 16}
# Positions that are relative: no tensor has one for each.
RELATIVE = {"type_vocab_size": 0, "relative_attention": True, "pos_att_type": ["p2c"], "position_biased_input": False}
DEBERTA = "DebertaV2", TEXT | RELATIVE
LONG = TEXT | {"max_position_embeddings": 10**7}
VIT = SMALL | {"image_size": 16, "patch_size": 8}
TEXTS = [
    ("Bert", TEXT),
    ("DistilBert", {"vocab_size": 13, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 16, "pad_token_id": 0}),
    ALBERT,
    ("Roberta", TEXT),
    ("Electra", TEXT | {"embedding_size": 16}),
    DEBERTA,
    ("ModernBert", LONG | {"global_rope_theta": 10**8, "eos_token_id": 2, "bos_token_id": 3, "cls_token_id": 2}),
]
IMAGES = [
    ("ViT", VIT),
    ("DeiT", VIT | {"architectures": ["DeiTForImageClassification"]}),
    RESNET,
    ("ConvNext", CONVOLUTIONS | {"num_stages": 2}),
    ("Swin", {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2],
              "window_size": 4}),
    ("MobileNetV2", {"depth_multiplier": 0.1, "image_size": 16}),
]  # fmt: skip


def configure(folder, changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def declaring(model, folder, changes):
    kind, settings = model
    make = text if model is ALBERT else image
    return configure(make(folder, config=config_of(kind, **settings)), changes)


@pytest.mark.parametrize(("kind", "settings"), TEXTS, ids=[kind for kind, _ in TEXTS])
def test_ordinary_text_models_open(tmp_path, kind, settings):
    config = config_of(kind, **settings)
    assert len(from_transformers(text(tmp_path / "texts", config), length=12).classes) == 2


@pytest.mark.parametrize(("kind", "settings"), IMAGES, ids=[kind for kind, _ in IMAGES])
def test_ordinary_image_models_open(tmp_path, kind, settings):
    config = config_of(kind, **settings)
    assert len(from_transformers(image(tmp_path / "images", config=config)).classes) == config.num_labels


@pytest.mark.parametrize(("model", "changes"), [
    (RESNET, {"depths": [1, 10**7]}),
    (RESNET, {"depths": [[2**19, 2**19], 1]}),
    (RESNET, {"depths": [10**4299] * 11}),
    (RESNET, {"num_labels": 10**9}),
    (RESNET, {"backbone_config": {"depths": [10**9]}}),
    (ALBERT, {"inner_group_num": 10**7}),
    (ALBERT, {"num_hidden_layers": 10**9}),
], ids=str)  # fmt: skip
def test_a_declared_count_larger_than_any_tensor_is_refused_before_loading(tmp_path, model, changes, monkeypatch):
    folder = declaring(model, tmp_path / "large", changes)
    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(DataError, match=r"declares \w+ = [\d,]+, and no tensor of its weights has a side longer than"):
        from_transformers(folder)


@pytest.mark.parametrize(("model", "changes"), [
    (RESNET, {"depths": [1, 10**6]}),
    (ALBERT, {"inner_group_num": 10**6}),
    (ALBERT, {"inner_group_num": 1000, "num_hidden_groups": 1000, "num_hidden_layers": 1000}),
], ids=str)  # fmt: skip
def test_building_stops_at_more_modules_than_the_weights_can_fill(tmp_path, model, changes):
    folder = declaring(model, tmp_path / "deep", changes)
    built = []
    register = torch.nn.modules.module.register_module_module_registration_hook
    handle = register(lambda *_: built.append(1) if threading.current_thread() is threading.main_thread() else None)
    try:
        with pytest.raises(DataError, match=r"declares more than [\d,]+ modules, its weights \d+ tensors"):
            from_transformers(folder)
    finally:
        handle.remove()
    assert len(built) < 2000
    assert not torch.nn.modules.module._global_module_registration_hooks


def test_tables_that_are_in_no_file_are_counted(tmp_path):
    folder = configure(text(tmp_path / "far", config_of(DEBERTA[0], **DEBERTA[1])), {"max_position_embeddings": 10**9})
    with pytest.raises(DataError, match=r"and 1,000,000,\d+ numbers beside them"):
        from_transformers(folder)
