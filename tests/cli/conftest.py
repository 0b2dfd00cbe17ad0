"""A model of somebody's own: a factory in a module, weights in a safetensors file, a table and a plan."""

import random

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
sample = 3

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


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(FACTORY)
    (tmp_path / "people.csv").write_text(rows())
    (tmp_path / "mine.toml").write_text(PLAN)
    weight = torch.tensor([[0.0, -4, 0, 0, 0], [0, 4, 0, 0, 0]])
    save_file({"weight": weight, "bias": torch.tensor([2.0, -2.0])}, tmp_path / "weights.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def probe():
    def call(*arguments: str, code: int | None = None):
        result = CliRunner().invoke(app, list(arguments), env={"NO_COLOR": "1", "COLUMNS": "160"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        if code is not None:
            assert result.exit_code == code, result.output
        return result

    return call
