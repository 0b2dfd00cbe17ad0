"""Every key of [model] and [data], of every source: it changes what is opened, or it is refused in a sentence."""

import json
import sys
from dataclasses import fields

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from probe.audit import plan_from
from probe.audit.sources import FILES, SOURCES, DataSource, ModelSource
from probe.cli.sources import open_both
from probe.errors import ProbeError
from tests.adapters.huggingface import text
from tests.adapters.test_timm import stand_in
from tests.test_images import photos

N = 24
FACTORIES = """
import numpy as np
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from torch import nn

X = np.random.default_rng(0).random((40, 2))
Y = (X > 0.5).astype(int)

def module():
    torch.manual_seed(0)
    return nn.Linear(2, 2)

def classifier():
    return LogisticRegression().fit(X, Y[:, 0])

def labelled():
    return MultiOutputClassifier(LogisticRegression()).fit(X, Y)

def regressor():
    return LinearRegression().fit(X, X[:, 0] * 3)

class Asked:
    def predict_proba(self, rows):
        return np.stack([1 - rows[:, 0], rows[:, 0]], 1)

def again(data, seed):
    raise AssertionError("asked by shadow models alone")

def asked():
    return Asked()
"""
TABLE = {"csv": "t.csv", "label": "tall", "features": ["a", "b"]}
MODELS = {  # a plan of each source, with the keys that no key under test touches
    "module": ({"factory": "made_for_keys:module"}, TABLE),
    "classifier": ({"factory": "made_for_keys:classifier"}, TABLE),
    "labelled": ({"factory": "made_for_keys:labelled"}, TABLE | {"label": ["tall", "old"]}),
    "regressor": ({"factory": "made_for_keys:regressor"}, TABLE | {"label": "price"}),
    "asked": ({"factory": "made_for_keys:asked"}, TABLE),
    "onnx": ({"onnx": "m.onnx"}, TABLE),
    "timm": ({"timm": "pooled", "weights": "w.safetensors"}, {"folder": "photos", "size": [10, 10]}),
    "timm folder": ({"timm": "local-dir:net"}, {"folder": "photos", "size": [10, 10]}),
    "transformers": ({"transformers": "bert"}, {"csv": "texts.csv", "label": "mood", "features": ["text"]}),
    "zoo": ({"zoo": "german-mlp"}, {}),
    "folder": ({"zoo": "./bare"}, TABLE),
}
KEYS = {
    "task": "places",
    "outputs": "one logit",
    "part": "nowhere",
    "only": "nowhere",
    "threshold": 0.3,
    "tolerance": 0.5,
    "batch_size": 3,
    "weights": "other.safetensors",
    "trainer": "made_for_keys:again",
}
DATA = {  # each source of examples, with a model that reads them
    "csv": ("module", TABLE),
    "npz": ("module", {"npz": "t.npz"}),
    "folder": ("timm", {"folder": "photos", "size": [10, 10]}),
    "zoo": ("zoo", {}),
    "texts": ("transformers", MODELS["transformers"][1]),
}
KEYS_OF_DATA = {
    "split": "train",
    "role": "train",
    "train": {"csv": "t.csv", "npz": "t.npz", "folder": "photos", "zoo": "train", "texts": "texts.csv"},
    "outliers": {"csv": "t.csv", "npz": "t.npz", "folder": "photos", "zoo": "adult", "texts": "texts.csv"},
    "label": {"csv": "old", "npz": "old", "texts": "town"},
    "groups": ["town"],
    "features": {"csv": ["b", "a"], "npz": ["other"], "texts": ["mood", "town"]},
    "classes": {"folder": ["eel", "dog", "cat"], "texts": ["positive", "negative"]},
    "categories": {"a": ["x", "y"]},
    "missing": {"texts": ["good film"]},
    "separator": ";",
    "decimal": ",",
    "encoding": "utf-16",
    "size": [4, 4],
    "channels": 1,
    "squares": 3,
    "truth": {"csv": ["b"], "npz": "other", "texts": ["text"]},
    "patch": [0, 0, 2, 2],
}
USUAL = {"label": "y", "features": ["y"], "classes": ["1", "0"], "missing": ["1"]}


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    """The files of all sources."""
    folder = tmp_path_factory.mktemp("keys")
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.random(N), "b": random.random(N), "town": ["x", "y", "z"] * (N // 3)})
    table = table.assign(tall=(table.a > 0.5) * 1, old=(table.b > 0.5) * 1, price=table.a * 3)
    table.to_csv(folder / "t.csv", index=False)
    moods = {"text": ["good film", "bad film"] * 4, "mood": ["positive", "negative"] * 4, "town": ["x", "y"] * 4}
    pd.DataFrame(moods).to_csv(folder / "texts.csv", index=False)
    np.savez(
        folder / "t.npz",
        inputs=table[["a", "b"]].to_numpy(),
        labels=table.tall,
        old=table.old,
        other=random.random((N, 2)),
    )
    (folder / "made_for_keys.py").write_text(FACTORIES)
    nodes = [helper.make_node("MatMul", ["x", "W"], ["z"])]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "z")]
    weight = random.normal(size=(2, 2)).astype(np.float32)
    graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:], [numpy_helper.from_array(weight, "W")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
    photos(folder / "photos", size=(10, 10))
    weights = {"fc.weight": torch.eye(3), "fc.bias": torch.zeros(3)}
    (folder / "net").mkdir()
    save_file(weights, folder / "w.safetensors")
    save_file(weights, folder / "net" / "model.safetensors")
    (folder / "net" / "config.json").write_text(json.dumps({"architecture": "pooled", "num_classes": 3}))
    text(folder / "bert")
    bare(folder / "bare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "timm", stand_in())
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        yield folder


def bare(folder):
    from probe_models.networks import build

    folder.mkdir()
    kwargs = {"numbers": 2, "onehots": 0, "bins": 2, "widths": [4], "classes": 2}
    (folder / "config.json").write_text(json.dumps({"architecture": "mlp", "kwargs": kwargs}))
    weights = {name: each.nan_to_num(0.5) for name, each in build("mlp", kwargs).state_dict().items()}
    save_file(weights, folder / "model.safetensors")


def opened(model, data):
    """What there is to see of a plan once it is opened."""
    plan = plan_from({"name": "p", "model": model, "data": data})
    model, data = open_both(plan, allow_code=True)
    space = data.space
    return repr((
        model.task, model.part, model.batch_size, model.training is None, model.trainer is None,
        space.feature_names(data.inputs), space.levels, space.bounds, space.features,
        data.inputs.tolist(), data.labels.tolist(), data.classes, data.role,
        None if data.groups is None else data.groups.to_dict(), None if data.truth is None else data.truth.tolist(),
        None if data.outliers is None else data.outliers.tolist(),
    ))  # fmt: skip


def ignored(model, data, section, keys):
    """The keys of a section that neither change what is opened nor are refused."""
    as_it_is, found = opened(model, data), []
    for key, value in keys.items():
        changed = [model | {key: value}, data] if section == "model" else [model, data | {key: value}]
        try:
            if opened(*changed) == as_it_is:
                found.append(key)
        except ProbeError:
            continue
    return found


def test_every_key_is_under_test():
    assert {*KEYS} == {f.name for f in fields(ModelSource)} - {*SOURCES}
    # How many rows are drawn, and what their segments are, shows when an audit runs.
    assert {*KEYS_OF_DATA} == {f.name for f in fields(DataSource)} - {"zoo", *FILES, "sample", "segments"}


@pytest.mark.parametrize("source", MODELS)
def test_no_key_of_a_model_is_ignored(source):
    model, data = MODELS[source]
    assert ignored(model, data, "model", KEYS) == []


@pytest.mark.slow
@pytest.mark.parametrize("source", DATA)
def test_no_key_of_examples_is_ignored(source):
    name, data = DATA[source]

    def of(key, value):
        by_source = isinstance(value, dict) and key != "categories"
        return value.get(source, USUAL.get(key)) if by_source else value

    keys = {key: of(key, value) for key, value in KEYS_OF_DATA.items()}
    assert ignored(MODELS[name][0], data, "data", keys) == []
