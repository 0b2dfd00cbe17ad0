"""Every network of the zoo is audited through every aspect, on a few rows and with little work by each method."""

from dataclasses import replace

import pytest

from probe import zoo
from probe.audit import run, verify
from probe.cli.sources import open_both, plan_of
from probe.registry import build, discover
from probe.report import blocks, render
from tests.light import light

RADII = 2  # of the usual ones, among them that of the check


def lightened(kind, configs):
    """The methods of a plan, with little work."""
    methods = [build(discover(kind), config) for config in configs]
    return tuple(
        config | {name: value for name, value in light(method).config().items() if value != method.config()[name]}
        for config, method in zip(configs, methods, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_a_network_of_the_zoo_is_explained_attacked_and_verified(name, tmp_path, monkeypatch):
    """Figures of the report are made, and not laid out and written: those of each form are in the tests of figures."""
    plan = plan_of(name)
    plan = replace(
        plan,
        data=replace(plan.data, sample=40),
        explain=replace(plan.explain, sample=2),
        attack=replace(plan.attack, sample=2),
    )
    model, data = open_both(plan)
    plan = plan.resolved(model, data)
    checked = plan.attack.eps.index(plan.checks.robust_eps)
    plan = replace(
        plan,
        explain=replace(plan.explain, methods=lightened("explainer", plan.explain.methods)),
        attack=replace(
            plan.attack,
            methods=lightened("attack", plan.attack.methods),
            eps=plan.attack.eps[checked : checked + RADII],
        ),
    )
    bundle = run(plan, model, data, tmp_path / name)
    assert bundle.complete
    assert [step.name for step in bundle.manifest.steps if step.status != "done"] == []
    assert {"performance", "explanation", "robustness"} <= {f.aspect for f in bundle.manifest.findings}
    assert not any(finding.status == "error" for finding in bundle.manifest.findings)
    assert verify(tmp_path / name).numbers > 100
    monkeypatch.setattr(blocks, "to_svg", lambda ax, **how: f"<svg>{len(ax.get_children())}</svg>")
    assert name in render(bundle)
