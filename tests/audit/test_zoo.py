"""Every network of the zoo is audited through every aspect, on a few rows."""

from dataclasses import replace

import pytest

from probe import zoo
from probe.audit import run, verify
from probe.cli.sources import open_both, plan_of
from probe.report import blocks, render

WRITTEN = set()  # forms of input whose figures were written: once each, as it takes most of the time of a page


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_a_network_of_the_zoo_is_explained_attacked_and_verified(name, tmp_path, monkeypatch):
    plan = plan_of(name)
    plan = replace(
        plan,
        data=replace(plan.data, sample=40),
        explain=replace(plan.explain, sample=2),
        attack=replace(plan.attack, sample=4),
    )
    model, data = open_both(plan)
    bundle = run(plan, model, data, tmp_path / name)
    assert bundle.complete
    assert [step.name for step in bundle.manifest.steps if step.status != "done"] == []
    assert {"performance", "explanation", "robustness"} <= {f.aspect for f in bundle.manifest.findings}
    assert not any(finding.status == "error" for finding in bundle.manifest.findings)
    assert verify(tmp_path / name).numbers > 100
    form = bundle.manifest.data.form["name"]
    if form in WRITTEN:
        monkeypatch.setattr(blocks, "to_svg", lambda ax, **how: "<svg></svg>")
    WRITTEN.add(form)
    assert name in render(bundle)
