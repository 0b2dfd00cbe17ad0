"""A model of somebody's own: a factory in a module, weights in a safetensors file, a table and a plan."""

import hashlib
import random
import shutil
from functools import cache

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from probe import report
from probe.cli import app
from probe.report import blocks

FACTORY = """
from torch import nn

def build():
    return nn.Linear(5, 2)
"""
DRAWN = report.render
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


def _unwritten(ax, **how):
    return f'<svg data-artists="{len(ax.get_children())}"></svg>'


@pytest.fixture(scope="package", autouse=True)
def _figures_not_written():
    """Have figures made and not laid out and written, which takes most of the time of a page.

    What is written is what the tests of figures and of reports look at.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "to_svg", _unwritten)
        yield


@pytest.fixture(autouse=True)
def _pages_drawn_once(monkeypatch):
    """Have commands draw the page of the same files once, for they draw it to write it and again to verify it.

    That a page is the same bytes when it is drawn again is what the tests of reports look at.
    """

    def render(bundle, *choice):
        return DRAWN(bundle, *choice) if choice else _page(_Files(bundle))

    monkeypatch.setattr(report, "render", render)


class _Files:
    """A bundle, equal to another if what was read of it and each of its files but the page are the same."""

    def __init__(self, bundle):
        self.bundle = bundle
        told = hashlib.sha256(repr((bundle.folder.name, bundle.manifest)).encode("utf-8", "surrogatepass"))
        for path in sorted(bundle.folder.rglob("*")):
            if path.is_file() and path.name != "report.html":
                told.update(f"{path.relative_to(bundle.folder)} {path.stat().st_size}\n".encode())
                told.update(path.read_bytes())
        self.told = told.digest()

    def __eq__(self, other):
        return self.told == other.told

    def __hash__(self):
        return hash(self.told)


@cache
def _page(files):
    return DRAWN(files.bundle)


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
            patch.setattr(blocks, "to_svg", _unwritten)
            patch.chdir(folder)
            patch.syspath_prepend(str(folder))
            call("audit", "--plan", "mine.toml", "--allow-code", code=1)

    return once("cli", audit)


@pytest.fixture
def audited(place, finished):
    """The place with the audit. Its plan names files by their whole path, so that this one cannot be continued here."""
    shutil.copytree(finished / "runs", place / "runs")
    return place
