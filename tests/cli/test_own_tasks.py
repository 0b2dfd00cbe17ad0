"""Plans with the task of a user's network: several labels, numbers, one part of a tuple."""

import json

import numpy as np
import pandas as pd
import pytest

from probe import Classification, MultiLabel, Regression
from probe.audit import plan_from
from probe.cli.sources import open_both, plan_in
from probe.errors import DataError, PlanError, ProbeError
from tests.cli.conftest import call

N = 60
RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": RANDOM.random(N), "b": RANDOM.random(N)})
TABLE = TABLE.assign(tall=(TABLE.a > 0.5) * 1, old=(TABLE.b > 0.5) * 1, price=TABLE.a * 3)
NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, OUT)

    def forward(self, x):
        logits = self.layer(x)
        return RETURN

def build():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Model and data of a plan whose network has so many outputs, and returns what is said of its `logits`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    TABLE.to_csv(tmp_path / "t.csv", index=False)

    def call(outputs, returns, model, **data):
        name = f"net_{abs(hash((returns, outputs, str(tmp_path))))}"
        (tmp_path / f"{name}.py").write_text(NET.replace("OUT", str(outputs)).replace("RETURN", returns))
        plan = {
            "model": {"factory": f"{name}:build", **model},
            "data": {"csv": "t.csv", "features": ["a", "b"], **data},
        }
        return open_both(plan_from({"name": "p", **plan}), allow_code=True)

    return call


def test_a_plan_names_several_labels_and_the_columns_that_hold_them(opened):
    model, data = opened(2, "logits", {"task": "multilabel", "threshold": [0.5, 0.3]}, label=["tall", "old"])
    assert model.task == MultiLabel(("tall", "old"), threshold=(0.5, 0.3))
    assert data.labels.tolist() == TABLE[["tall", "old"]].to_numpy().tolist()
    assert data.classes == ("tall", "old")
    assert any("outputs are assumed to be, in this order: tall, old; [data] label names it" in n for n in model.notices)


@pytest.mark.parametrize("part", ["logits", 1])
def test_a_plan_names_the_part_of_an_answer_that_is_the_outputs(opened, part):
    returns = "{'loss': logits.sum(), 'logits': logits}" if part == "logits" else "(logits.sum(), logits)"
    model, data = opened(2, returns, {"part": part}, label="tall")
    assert model.part == part
    assert model.logits(data.inputs).shape == (N, 2)


def test_a_plan_names_numbers_and_probabilities(opened):
    model, data = opened(1, "logits", {"task": "regression"}, label="price")
    assert model.task == Regression(("price",))
    np.testing.assert_allclose(data.labels, TABLE.price, rtol=1e-6)
    model, _ = opened(1, "logits.sigmoid()", {"outputs": "one probability"}, label="tall")
    assert model.task == Classification(("0", "1"), outputs="one probability")


@pytest.mark.parametrize(
    ("model", "data", "error", "message"),
    [
        ({}, {"label": ["tall", "old"]}, PlanError, r'label lists 2 columns.*\[model\] task = "multilabel"'),
        ({"task": "multi-label"}, {"label": "tall"}, ProbeError, "did you mean 'multilabel'"),
        ({"taks": "multilabel"}, {"label": "tall"}, ProbeError, "did you mean 'task'"),
        ({"part": "logit"}, {"label": "tall"}, ProbeError, "part='logit' is not one of them"),
        ({"task": "multilabel", "outputs": "one logit"}, {"label": ["tall"]}, PlanError, "outputs: MultiLabel"),
        ({"task": "multilabel"}, {"label": ["tall", "price"]}, DataError, "column 'price'.*expected 0 or 1"),
        ({"task": "multilabel", "threshold": [0.5, 1.5]}, {"label": ["tall", "old"]}, PlanError, "threshold = 1.5"),
        ({"task": "multilabel", "threshold": [0.5]}, {"label": ["tall", "old"]}, DataError, "threshold has 1 numbers"),
    ],
)  # fmt: skip
def test_wrong_outputs_in_a_plan_are_refused_with_a_remedy(opened, model, data, error, message):
    with pytest.raises(error, match=message):
        opened(2, "{'logits': logits}" if "part" in model else "logits", model, **data)


def test_the_task_of_a_network_of_the_zoo_comes_from_its_card():
    with pytest.raises(PlanError, match=r"\[model\] has task, which the card of a zoo network already gives"):
        plan_from({"name": "p", "model": {"zoo": "adult-mlp", "task": "multilabel"}})


PLAN = """
[model]
factory = "labelled:build"
task = "multilabel"

[data]
csv = "t.csv"
features = ["a", "b"]
label = ["tall", "old"]
"""


@pytest.fixture
def several(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "labelled.py").write_text(NET.replace("OUT", "2").replace("RETURN", "logits"))
    (tmp_path / "p.toml").write_text(PLAN)
    return tmp_path


@pytest.mark.slow
def test_the_command_line_explains_and_attacks_a_label_by_its_name(several):
    shared = ("--plan", "p.toml", "--allow-code")
    said = call("explain", *shared, "--method", "saliency", "--rows", "0:2", "--target", "old", code=0).stdout
    assert said.startswith("row 0, explained old: ")
    assert "explained" in call("explain", *shared, "--method", "saliency", "--rows", "0", code=0).stdout
    said = call("attack", *shared, "--method", "fgsm", "--sample", "20", code=0).stdout
    assert "all right:" in said
    alone = call("attack", *shared, "--method", "fgsm", "--sample", "20", "--only", "tall", "--json", code=0)
    whole = call("attack", *shared, "--method", "fgsm", "--sample", "20", "--json", code=0)
    assert json.loads(alone.stdout)["accuracy"][0] >= json.loads(whole.stdout)["accuracy"][0]
    refused = call("explain", *shared, "--target", "odl", code=2)
    assert "did you mean 'old'" in refused.stderr


def test_a_plan_studies_one_of_several_labels_alone(several):
    (several / "p.toml").write_text(PLAN.replace("[data]", 'only = "old"\nthreshold = [0.5, 0.3]\n\n[data]'))
    model, data = open_both(plan_in(several / "p.toml"), allow_code=True)
    assert (model.classes, model.threshold) == (("not old", "old"), 0.3)
    assert data.labels.tolist() == TABLE.old.tolist()


def test_probe_bias_compares_groups_by_one_of_several_labels(several):
    groups = TABLE.assign(town=np.where(TABLE.a > 0.6, "x", "y"))
    groups.to_csv(several / "t.csv", index=False)
    (several / "p.toml").write_text(PLAN + 'groups = ["town"]\n')
    shared = ("bias", "--plan", "p.toml", "--allow-code")
    refused = call(*shared, code=2).stderr
    assert "p has several labels; name the favourable outcome of one" in refused
    assert "favourable outcome: not tall" in call(*shared, "--favourable", "not tall").stdout
