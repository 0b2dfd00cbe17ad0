"""What commands say of answers and images, as plans do."""

import json

import numpy as np
import pandas as pd
import pytest

from probe.audit import read
from tests.cli.conftest import call

FACTORY = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Linear(2, 2)

class Parted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return x, self.layer(x).sigmoid()

def parted():
    torch.manual_seed(0)
    return Parted()

class Bright(nn.Module):
    def forward(self, x):
        light = x.mean((1, 2, 3)) * 8 - 4
        return torch.stack([-light, light], 1)

def bright():
    return Bright()
"""
REGRESSOR = """
import pandas as pd
from sklearn.linear_model import LinearRegression

def build():
    rows = pd.read_csv("t.csv")
    return LinearRegression().fit(rows[["a", "b"]], rows["price"])
"""
PLAN = """
[model]
factory = "{factory}"

[data]
csv = "t.csv"
features = ["a", "b"]
label = {label}
groups = ["town"]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.random(80), "b": random.random(80), "town": ["x", "y"] * 40})
    table = table.assign(tall=(table.a > 0.5) * 1, old=(table.b > 0.5) * 1, price=3 * table.a - table.b)
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "said.py").write_text(FACTORY)
    (tmp_path / "fitted_regressor.py").write_text(REGRESSOR)

    def plan(name, factory, label):
        (tmp_path / f"{name}.toml").write_text(PLAN.format(factory=factory, label=json.dumps(label)))
        return ("--plan", f"{name}.toml", "--allow-code")

    return plan


@pytest.mark.slow
def test_task_options_of_commands_say_what_outputs_mean(place):
    several = place("several", "said:build", ["tall", "old"])
    assert "label lists 2 columns" in call("explain", *several, code=2).stderr
    told = call("explain", *several, "--task", "multilabel", "--method", "saliency", "--rows", "0", "--target", "old")
    assert told.stdout.startswith("row 0, explained old")
    only = ("--task", "multilabel", "--only", "tall")
    found = json.loads(call("attack", *several, *only, "--sample", "20", "--method", "fgsm", "--json", code=0).stdout)
    assert found["n"] == 20
    assert "favourable outcome: tall" in call("bias", *several, *only).stdout
    parted = place("parted", "said:parted", "tall")
    how = ("--part", "1", "--outputs", "one probability")
    assert "row 0, predicted" in call("explain", *parted, *how, "--method", "saliency", "--rows", "0", code=0).stdout


def test_task_options_without_effect_are_refused(place):
    plan = place("p", "said:build", "tall")
    assert "did you mean 'multilabel'" in call("attack", *plan, "--task", "multi-label", code=2).stderr
    assert "has tolerance, which only a regression takes" in call("attack", *plan, "--tolerance", "1", code=2).stderr
    assert "the card of a zoo network already gives" in call("explain", "german-mlp", "--task", "places", code=2).stderr
    said = call("bias", "t.csv", "--only", "tall", "--group", "town", "--prediction", "tall", code=2).stderr
    assert "--only is for a model, and t.csv holds answers; leave it out" in said
    table = call("explain", *plan, "--segments", "4", code=2).stderr
    assert "t.csv has rows of shape (2,), which are not images and have no segments; leave segments out" in table
    refused = call("audit", *plan, "--segments", "4", code=2).stderr
    assert "[data] has segments, which is for images, and the examples are from csv; leave it out" in refused


def test_a_regressor_of_a_factory_is_explained_attacked_and_compared_between_groups(place):
    plan = place("prices", "fitted_regressor:build", "price")
    explained = call("explain", *plan, "--method", "kernel_shap", "--rows", "0:2", code=0)
    assert "80 rows as they are in the table get the same numbers as by its own predict" in explained.stderr
    assert explained.stdout.startswith("row 0, explained price: ")
    found = call("bias", *plan).stdout
    assert "mean" in found
    refused = call("explain", *plan, "--task", "multilabel", code=2).stderr
    assert 'has task = "multilabel", and a LinearRegression predicts outputs; leave task out' in refused


@pytest.mark.slow
def test_images_of_a_plan_are_explained_by_segments_of_each(tmp_path, monkeypatch, place):
    images = np.zeros((6, 3, 12, 12), dtype=np.float32)
    for at, image in enumerate(images):
        image[:, :, 2 + at :] = 1.0  # light on the right, from another column in each
    np.savez(tmp_path / "i.npz", inputs=images, labels=[0, 1] * 3)
    plan = '[model]\nfactory = "said:bright"\n[data]\nnpz = "i.npz"\nsegments = 6\nsample = 4\n'
    few = '[explain]\nsample = 3\nmethods = ["kernel_shap"]\n[attack]\nmethods = ["fgsm"]\neps = ["8/255"]\n'
    how = ("explain", "--plan", "i.toml", "--allow-code", "--method", "kernel_shap", "--rows", "0:2")
    (tmp_path / "i.toml").write_text(plan + few)
    call("audit", "--plan", "i.toml", "--allow-code")
    bundle = read("runs/i")
    assert all(step.status == "done" for step in bundle.manifest.steps)
    owner = bundle.arrays("instances")["features"]
    assert owner.shape == (3, 3, 12, 12)
    assert not np.array_equal(owner[0], owner[1])
    values = bundle.arrays("explain-kernel_shap")
    assert values["by_feature"].shape[1] == owner.max() + 1
    by_plan = call(*how, code=0).stdout
    (tmp_path / "i.toml").write_text(plan.replace("segments = 6\n", "") + few)
    by_squares = call(*how, code=0).stdout
    assert "square r" in by_squares
    assert call(*how, "--segments", "6", code=0).stdout == by_plan != by_squares
