"""A model of somebody's own: a factory in a module, weights in a safetensors file, a table and a plan."""

import random
import shutil

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from probe.cli import app

FACTORY = """
from torch import nn

def build():
    return nn.Linear(5, 2)
"""
PLAN = """
[model]
factory = "mine:build"
weights = "weights.safetensors"

[data]
csv = "people.csv"
label = "hired"
classes = ["no", "yes"]
groups = ["sex"]
features = ["age", "score", "job"]

[explain]
sample = 2
methods = [{method = "integrated_gradients", steps = 4}, {method = "kernel_shap", coalitions = 64}]

[attack]
sample = 20
eps = ["0.1"]
methods = [{method = "fgsm"}]
"""


def rows(n: int = 120) -> str:
    source = random.Random(0)
    lines = ["age,score,job,sex,hired"]
    for _ in range(n):
        age, score, job, sex = source.randint(18, 80), source.random(), source.choice("abc"), source.choice("FM")
        lines.append(f"{age},{score:.3f},{job},{sex},{'yes' if score > 0.5 else 'no'}")
    return "\n".join(lines) + "\n"


def write(folder):
    """The files of a model of somebody's own."""
    (folder / "mine.py").write_text(FACTORY)
    (folder / "people.csv").write_text(rows())
    (folder / "mine.toml").write_text(PLAN)
    weight = torch.tensor([[0.0, -4, 0, 0, 0], [0, 4, 0, 0, 0]])
    save_file({"weight": weight, "bias": torch.tensor([2.0, -2.0])}, folder / "weights.safetensors")
    return folder


def call(*arguments: str, code: int | None = None):
    """Run a command in this process."""
    result = CliRunner().invoke(app, list(arguments), env={"NO_COLOR": "1", "COLUMNS": "160"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    if code is not None:
        assert result.exit_code == code, result.output
    return result


@pytest.fixture
def probe():
    return call


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return write(tmp_path)


@pytest.fixture(scope="session")
def finished(once):
    """One audit by the plan, to be copied."""

    def audit(folder):
        folder.mkdir()
        write(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.syspath_prepend(str(folder))
            call("audit", "--plan", "mine.toml", "--allow-code", code=1)

    return once("cli", audit)


@pytest.fixture
def audited(place, finished):
    """The place with the audit. Its plan names files by their whole path, so that this one cannot be continued here."""
    shutil.copytree(finished / "runs", place / "runs")
    return place
