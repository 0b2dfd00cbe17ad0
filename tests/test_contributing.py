"""What CONTRIBUTING shows is a package of a stranger's: each snippet is a module, and one audit runs them all."""

import ast
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space, load, registry
from probe.audit import plan_from, run, verify
from probe.plots.drawers import drawer_of
from tests import guest

ROOT = Path(__file__).parent.parent
PLAN = {
    "name": "stranger",
    "explain": {"sample": 5, "methods": ["gradient_times_span"], "metrics": ["share"]},
    "attack": {"eps": ["0.1", "0.2"], "methods": ["one_step", {"method": "one_step", "goal": "doubt"}]},
    "search": {"sample": 12, "methods": ["barely_other"]},
    "certify": {"eps": ["0.01"], "methods": ["of_norms"]},
    "survey": {"methods": ["mean_probability"]},
    "checks": {"mean_probability": 0.1, "certified_accuracy": 0.2},
}


def snippets():
    """The classes that CONTRIBUTING shows, each with its imports, by name; imports stand before what shares them."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = text.partition("## Add a method")[2].partition("## Add a page")[0]
    shared, found = "", {}
    for block in re.findall(r"```python\n(.*?)```", shown, re.DOTALL):
        classes = [node.name for node in ast.parse(block).body if isinstance(node, ast.ClassDef)]
        if not classes:
            shared = block
        else:
            found[classes[0]] = block if "import" in block else f"{shared}\n\n{block}"
    return found


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


def test_what_contributing_shows_runs_in_an_audit_and_is_judged(audited):
    assert all(step.done for step in audited.manifest.steps), [step.note for step in audited.manifest.steps]
    checks = {finding.check: finding.status for finding in audited.manifest.findings}
    assert checks["gradient_times_span: share"] == "pass"
    assert checks["mean_probability: mean probability: low"] == "pass"
    assert checks["of_norms: robust at eps 0.01"] == "pass"
    assert "withstands OneStep (goal = untargeted) and OneStep (goal = doubt (lead = 1)) at eps 0.2" in checks
    verify(audited.folder)


def test_what_contributing_shows_is_loaded_again_and_drawn(site, model, data, tmp_path):
    known = registry.methods()
    for result in (known["one_step"](eps=0.3, goal=known["doubt"]())(model, data.inputs, data.labels),
                   known["gradient_times_span"]()(model, data.inputs)):  # fmt: skip
        result.save(tmp_path / type(result).__name__)
        assert load(tmp_path / type(result).__name__).to_frame().equals(result.to_frame())
        assert "<img" in result._repr_html_()
    assert type(drawer_of(model.space.form.record())).__name__ == "PercentDrawer"
