"""What CONTRIBUTING shows is a package of a stranger's: each snippet is a module, and one audit runs them all."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
from probe_models.datasets import READERS
from probe_models.networks import ARCHITECTURES
from probe_models.zoo.recipes import RECIPES
from streamlit.testing.v1 import AppTest
from torch import nn
from typer.testing import CliRunner

from probe import Dataset, Model, Space, load, registry, zoo
from probe.audit import plan_from, reading, run, verify
from probe.cli.commands import app
from probe.plots.drawers import drawer_of
from tests import guest

ROOT = Path(__file__).parent.parent
PLAN = {
    "name": "stranger",
    "explain": {"sample": 5, "methods": ["gradient_times_span"], "metrics": ["share"]},
    "attack": {"eps": ["0.1", "0.2"], "methods": ["one_step", {"method": "one_step", "goal": "doubt"}]},
    "search": {"sample": 12, "methods": ["barely_other"]},
    "certify": {"eps": ["0.01"], "methods": [{"method": "by_slope", "steepest": 1.3}]},
    "survey": {"methods": ["mean_probability"]},
    "checks": {"mean_probability": 0.1, "certified_accuracy": 0.2},
}


LINES = 10  # of a snippet, without its imports and what is empty


def snippets():
    """What CONTRIBUTING shows, by the name of its class or, of a module, of its chapter; each has its imports.

    Imports stand before what shares them.
    """
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shared, found = "", {}
    for chapter in text.split("\n## Add a ")[1:]:
        for block in re.findall(r"```python\n(.*?)```", chapter, re.DOTALL):
            classes = [node.name for node in ast.parse(block).body if isinstance(node, ast.ClassDef)]
            if own(block):
                name = classes[0] if classes else "recipes" if "RECIPES" in block else chapter.split()[0]
                found[name] = block if "import" in block else f"{shared}\n\n{block}"
            else:
                shared = block
    return found


def own(block):
    """The lines of a snippet that are no imports."""
    imports = [node for node in ast.parse(block).body if isinstance(node, ast.Import | ast.ImportFrom)]
    left = {at for node in imports for at in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return [line for at, line in enumerate(block.splitlines(), 1) if line.strip() and at not in left]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    guest.bring(site, "stranger", {name.lower(): f'"""One."""\n{code}' for name, code in snippets().items()})
    with guest.installed(site):
        yield site


@pytest.fixture(scope="module")
def model(site):
    layers = nn.Sequential(nn.Linear(3, 2)).eval()
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor([[0.5, 0.0, 0.2], [-0.5, 0.1, 0.0]]))
        layers[0].bias.copy_(torch.tensor([-0.25, 0.2]))
    space = Space(form="percent", names=("a", "b", "c"), reference=torch.zeros(1, 3))
    return Model(forward=layers, space=space, classes=("low", "high"))


@pytest.fixture(scope="module")
def data(model):
    rows = torch.rand(12, 3, generator=torch.Generator().manual_seed(0))
    return Dataset(rows, model.predict(rows), space=model.space, classes=model.classes)


@pytest.fixture(scope="module")
def audited(model, data, tmp_path_factory):
    return run(plan_from(PLAN, sources=False), model, data, tmp_path_factory.mktemp("runs") / "stranger")


def test_contributing_shows_one_of_each_kind(site):
    kinds = {
        registry.methods()[name].family for name in registry.methods() if "stranger" in repr(registry.methods()[name])
    }
    assert kinds == set(registry.FAMILIES)
    for name, kind in registry.methods().items():
        if kind.__module__.startswith("stranger."):
            assert registry.listed(kind.family)[name].summary() == kind.summary()


def test_the_examples_of_contributing_run_in_an_audit_with_findings(audited):
    assert all(step.done for step in audited.manifest.steps), [step.note for step in audited.manifest.steps]
    checks = {finding.check: finding.status for finding in audited.manifest.findings}
    assert checks["gradient_times_span: share"] == "pass"
    assert checks["mean_probability: mean probability: low"] == "pass"
    assert checks["by_slope: robust at eps 0.01"] == "pass"
    assert "withstands OneStep (goal = untargeted) and OneStep (goal = doubt (lead = 1)) at eps 0.2" in checks
    verify(audited.folder)


@pytest.mark.slow
def test_results_of_the_examples_of_contributing_are_saved_loaded_and_plotted(site, model, data, tmp_path):
    known = registry.methods()
    for result in (known["one_step"](eps=0.3, goal=known["doubt"]())(model, data.inputs, data.labels),
                   known["gradient_times_span"]()(model, data.inputs)):  # fmt: skip
        result.save(tmp_path / type(result).__name__)
        assert load(tmp_path / type(result).__name__).to_frame().equals(result.to_frame())
        assert "<img" in result._repr_html_()
    assert type(drawer_of(model.space.form.record())).__name__ == "PercentDrawer"


@pytest.mark.parametrize("name", snippets())
def test_the_examples_of_contributing_have_ten_lines_at_most(name):
    written = own(snippets()[name])
    assert len(written) <= LINES, "\n".join(written)


@pytest.mark.slow
def test_the_network_recipe_of_contributing_is_trained_and_explained(site, tmp_path, monkeypatch):
    modules = {name: import_module(f"stranger.{name}") for name in ("data", "quadratic", "recipes")}
    monkeypatch.setitem(READERS, modules["data"].NAME, "stranger.data")
    for known, said in ((ARCHITECTURES, modules["quadratic"].ARCHITECTURES), (RECIPES, modules["recipes"].RECIPES)):
        for name, there in said.items():
            monkeypatch.setitem(known, name, there)
    made = CliRunner().invoke(app, ["train", "points-quadratic", "--out", str(tmp_path / "made")])
    assert made.exit_code == 0, made.output
    assert zoo.card(tmp_path / "made")["metrics"]["accuracy"] > 0.9
    found = CliRunner().invoke(app, ["explain", str(tmp_path / "made"), "--rows", "0", "--method", "saliency"])
    assert "across" in found.stdout, found.output


def draw(folder):
    """What the viewer does for a page; it runs apart from this module."""
    from pathlib import Path

    import streamlit as st
    from probe_dashboards.views import runs
    from stranger import page

    found, _ = runs.listing(Path(folder))
    page.draw(runs.opened(found[0], {}, st.container()))


@pytest.mark.slow
def test_a_page_of_contributing_is_drawn(site, audited):
    shown = AppTest.from_function(draw, args=(str(audited.folder.parent),), default_timeout=30)
    shown.run()
    assert not shown.exception
    assert len(shown.header) == len(reading.measured(audited))
    assert import_module("stranger.page").LIMITS
