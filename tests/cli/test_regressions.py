"""A regression of somebody's own from the command line: numbers in a CSV, a module that answers with one."""

import json

import pytest
import torch
from safetensors.torch import save_file

from probe.audit import read

FACTORY = """
from torch import nn

def build():
    return nn.Linear(3, 1)
"""
PLAN = """
[model]
factory = "hours:build"
weights = "weights.safetensors"
task = "regression"
tolerance = 2.0

[data]
csv = "hours.csv"
label = "hours"
groups = ["sex"]

[explain]
sample = 2
methods = ["integrated_gradients"]

[attack]
sample = 20
eps = ["0.1", "2"]
methods = [{method = "pgd", steps = 4, goal = {method = "shift", by = 3.0}}]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("hours"), torch.Generator().manual_seed(0)
    x, noise = torch.rand(120, 3, generator=random) * 10, torch.randn(120, generator=random)
    labels = 20 + 2 * x[:, 0] + noise
    answers = labels + torch.arange(120) % 2 * 5
    rows = [
        f"{','.join(f'{value:.3f}' for value in row)},{label:.2f},{answer:.2f},{'fm'[at % 2]}"
        for at, (row, label, answer) in enumerate(zip(x.tolist(), labels.tolist(), answers.tolist(), strict=True))
    ]
    (folder / "hours.csv").write_text("\n".join(["age,kids,years,hours,sex"] + [
        ",".join((*row.split(",")[:4], row.split(",")[5])) for row in rows
    ]) + "\n")  # fmt: skip
    (folder / "decisions.csv").write_text("\n".join(["a,b,c,hours,told,sex", *rows]) + "\n")
    (folder / "hours.py").write_text(FACTORY)
    (folder / "hours.toml").write_text(PLAN)
    save_file({"weight": torch.tensor([[2.0, 0.0, 0.0]]), "bias": torch.tensor([20.0])}, folder / "weights.safetensors")
    return folder


@pytest.fixture
def here(files, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.syspath_prepend(str(files))
    return files


@pytest.mark.slow
def test_a_users_regression_is_audited_from_a_plan(probe, here):
    said = probe("audit", "--plan", "hours.toml", "--allow-code").output
    assert (here / "runs/hours/audit.json").exists(), said
    bundle = read(here / "runs/hours")
    assert {step.name: step.status for step in bundle.manifest.steps} == dict.fromkeys(
        ("predictions", "instances", "explain-integrated_gradients", "attack-pgd"), "done"
    )
    assert bundle.manifest.task.to_json() == {"kind": "regression", "outputs": ["hours"], "tolerance": 2.0}
    # An answer climbs 2 hours for each unit of age, which has a deviation of 3: a tenth of it moves none by 3 hours.
    assert bundle.arrays("attack-pgd")["success"].mean(1).tolist() == pytest.approx([0.0, 1.0], abs=0.2)
    checks = {f.check for f in bundle.manifest.findings if f.aspect == "bias"}
    assert "difference of mean errors by sex" in checks
    probe("verify", "runs/hours", code=0)


@pytest.mark.slow
def test_a_users_regression_is_explained_and_attacked_by_name(probe, here):
    said = ("--plan", "hours.toml", "--allow-code")
    assert "row 0" in probe("explain", *said, "--rows", "0:2", code=0).stdout
    shift = ("--method", "pgd", "--set", "goal=shift", "--set", "goal.by=-3", "--set", "eps=2")
    shown = probe("attack", *said, *shift, "--sample", "20", code=0).stdout
    assert "goal reached:" in shown
    assert "outputs moved by" in shown
    document = json.loads(probe("attack", *said, *shift, "--sample", "20", "--json", code=0).stdout)
    assert document["reached"][0] > 0.5
    assert document["mean_move"] > 2
    within = json.loads(probe("attack", *said, "--method", "fgsm", "--set", "eps=2", "--json", code=0).stdout)
    assert within["robust_accuracy"][0] < within["accuracy"][0]  # right within the tolerance


def test_numbers_of_a_csv_and_of_a_model_are_compared_between_groups(probe, here):
    said = ("bias", "decisions.csv", "--numbers", "--label", "hours", "--prediction", "told", "--group", "sex")
    shown = probe(*said, code=1).stdout
    assert "difference of mean errors by sex: 5" in shown
    assert "favourable outcome" not in shown
    document = json.loads(probe(*said, "--json", code=1).stdout)
    assert document["favourable"] is None
    assert [round(row["mean_error"]) for row in document["groups"]] == [0, 5]
    assert (
        "--favourable is for classes, and --numbers compares numbers"
        in probe(*said, "--favourable", "f", code=2).stderr
    )
    model = ("bias", "--plan", "hours.toml", "--allow-code")
    assert "difference of mean answers by sex" in probe(*model).stdout
    assert "answers with numbers; leave it out" in probe(*model, "--favourable", "f", code=2).stderr
    assert "the task of a model is known" in probe(*model, "--numbers", code=2).stderr


@pytest.mark.parametrize(("old", "new", "message"), [
    ('task = "regression"\n', "", 'has tolerance, which only a regression takes; add task ='),
    ("tolerance = 2.0", "tolerance = -1.0", "model.tolerance = -1"),
    ('label = "hours"', 'label = "sex"', "expected a number"),
])  # fmt: skip
def test_a_plan_of_a_regression_that_cannot_be_is_refused(probe, here, old, new, message):
    text = PLAN.replace(old, new).replace('groups = ["sex"]', "") if "label" in old else PLAN.replace(old, new)
    (here / "wrong.toml").write_text(text)
    assert message in " ".join(probe("audit", "--plan", "wrong.toml", "--allow-code", code=2).stderr.split())
