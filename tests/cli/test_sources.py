"""`probe explain` and `probe attack` take a user's model by a plan, as `probe audit` does."""

import json

import pytest

from probe.audit import plan_from
from probe.cli.sources import open_both
from probe.errors import PlanError


@pytest.mark.parametrize("command", ["explain", "attack"])
def test_a_plan_opens_a_users_model(probe, place, command):
    result = probe(command, "--plan", "mine.toml", "--allow-code", "--json", "--device", "cpu", code=0)
    document = json.loads(result.stdout)
    if command == "explain":
        assert list(document["features"]) == ["age", "score", "job"]
    else:
        assert document["n"] == 120


@pytest.mark.parametrize("command", ["explain", "attack"])
def test_code_of_a_plan_needs_allow_code(probe, place, command):
    result = probe(command, "--plan", "mine.toml", code=2)
    assert "--allow-code" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("adult-mlp", "--plan", "mine.toml")])
def test_naming_two_models_is_refused(probe, place, arguments):
    assert "name one model" in probe("explain", *arguments, code=2).stderr


@pytest.mark.parametrize("device", ["tpu-9", "meta", "cuda:99"])
def test_a_missing_device_is_refused_in_one_sentence(probe, place, device):
    result = probe("explain", "--plan", "mine.toml", "--allow-code", "--device", device, code=2)
    assert "use cpu" in result.stderr


def test_a_black_box_refuses_another_device(probe, place):
    (place / "box.py").write_text(
        "class Box:\n def predict_proba(self, rows):\n  import numpy\n  return numpy.full((len(rows), 2), 0.5)\n"
        "def build():\n return Box()\n"
    )
    text = (place / "mine.toml").read_text().replace("mine:build", "box:build").replace("weights =", "# weights =")
    (place / "box.toml").write_text(text)
    call = ("explain", "--plan", "box.toml", "--allow-code", "--method", "kernel_shap")
    assert probe(*call, "--device", "cpu").exit_code == 0


def test_a_plan_sets_the_rows_per_forward_pass():
    plan = plan_from({"name": "few", "model": {"zoo": "adult-mlp", "batch_size": 7}})
    model, data = open_both(plan)
    assert model.rows_per_pass(data.inputs) == 7
    with pytest.raises(PlanError, match="batch_size = -1"):
        plan_from({"name": "few", "model": {"zoo": "adult-mlp", "batch_size": -1}})
