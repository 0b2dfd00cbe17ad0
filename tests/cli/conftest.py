"""A model of somebody's own: a factory in a module, weights in a safetensors file, a table and a plan."""

import hashlib
import random
import shutil
from importlib import import_module

import pytest
import torch
from probe_models.zoo.curve import FILE
from safetensors.torch import save_file
from typer.testing import CliRunner

from probe import report
from probe.audit import verification
from probe.cli.commands import app
from probe.report import blocks

FACTORY = """
from torch import nn

def build():
    return nn.Linear(5, 2)
"""
DRAWN, CHECKED = report.render, verification._check_numbers
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


def unwritten(ax, **how):
    return f'<svg data-artists="{len(ax.get_children())}"></svg>'


@pytest.fixture(scope="package", autouse=True)
def _pages_not_drawn():
    """Have commands write a digest of a bundle's files as its page: it is another where one of them is another.

    What a page shows is what the tests of reports look at; a test that looks at it here asks for `drawn`, and has its
    figures made and not laid out and written, which takes most of the time of a page.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "to_svg", unwritten)
        patch.setattr(report, "render", lambda bundle, *choice: DRAWN(bundle, *choice) if choice else page_of(bundle))
        yield


@pytest.fixture(scope="package", autouse=True)
def _curves_not_drawn():
    """Have a training leave an empty file as the picture of its curve; tests/models/test_fitting.py looks at one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("probe_models.zoo.train"), "draw", lambda folder, *_: (folder / FILE).touch())
        yield


@pytest.fixture
def drawn(monkeypatch):
    """Pages as they are; that of the same files once, for commands draw it to write it and again to verify it."""

    def render(bundle, *choice):
        if choice:
            return DRAWN(bundle, *choice)
        text = page_of(bundle)
        if text not in pages:
            pages[text] = DRAWN(bundle)
        return pages[text]

    pages = {}
    monkeypatch.setattr(report, "render", render)


def page_of(bundle):
    """A page that is the same for the same audit and files, and for no others."""
    written = bundle.manifest.to_json() | {"report_sha256": ""}  # that of the page itself
    told = hashlib.sha256(repr((bundle.folder.name, written)).encode("utf-8", "surrogatepass"))
    beside = (
        path for kind in ("signatures", "countersignatures", "signoffs") for path in bundle.folder.glob(f"{kind}/*")
    )
    for path in sorted([*(bundle.folder / file for file in bundle.manifest.files), *beside]):
        told.update(f"{path.relative_to(bundle.folder)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return f"<!doctype html>{told.hexdigest()}"


@pytest.fixture(scope="package", autouse=True)
def _numbers_recomputed_once():
    """Have the numbers of the same manifest, which names the digest of each file, recomputed once.

    What a verification finds is what the tests of audits look at; files are read and hashed each time here too.
    """
    recomputed = {}

    def check(bundle):
        manifest = repr(bundle.manifest)
        if manifest not in recomputed:
            recomputed[manifest] = CHECKED(bundle)
        return recomputed[manifest]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_check_numbers", check)
        yield


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
            patch.setattr(report, "render", page_of)
            patch.chdir(folder)
            patch.syspath_prepend(str(folder))
            call("audit", "--plan", "mine.toml", "--allow-code", code=1)

    return once("cli", audit)


@pytest.fixture
def audited(place, finished):
    """The place with the audit. Its plan names files by their whole path, so that this one cannot be continued here."""
    shutil.copytree(finished / "runs", place / "runs")
    return place
