"""One network of each form of input and each task is audited by its usual plan, with little work by each method.

What the other networks answer and what their layers do, `tests/models` and `tests/test_internals.py` look at.
"""

from dataclasses import replace

import pytest

from probe import zoo
from probe.audit import run, verify
from probe.cli.sources import open_both, plan_of
from probe.registry import build, discover
from probe.report import render
from tests.light import light

RADII = 2  # of the usual ones, among them that of the check
# What an attack broke is explained again; integrated gradients would divide these paths into hundreds of pieces.
PIECES, COALITIONS = 16, 500
EACH = (
    "adult-hours-mlp", "adult-labels-mlp", "ecg-tcn", "fashion-ae", "fashion-cnn", "german-mlp", "motif-gcn",
    "repeats-gpt", "reviews-cnn",
)  # fmt: skip
LIKE = {"adult": "german", "compas": "german", "digits": "fashion-mnist"}  # data that are audited as others are


def lightened(kind, configs):
    """The methods of a plan, with little work."""
    found = []
    for config in configs:
        method = build(discover(kind), config)
        less = light(method, pieces=PIECES).config()
        less |= {"coalitions": COALITIONS} if "coalitions" in less else {}
        found.append(config | {name: value for name, value in less.items() if value != method.config()[name]})
    return tuple(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_network_of_the_zoo_is_explained_attacked_and_verified(name, tmp_path):
    plan = plan_of(name)
    plan = replace(
        plan,
        data=replace(plan.data, sample=40),
        explain=replace(plan.explain, sample=1),
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
    assert name in render(bundle)


def test_there_is_an_audit_of_each_data_set_or_of_one_like_it():
    read = {name: zoo.card(name)["data"]["name"] for name in zoo.names()}
    assert {LIKE.get(data, data) for data in read.values()} == {read[name] for name in EACH}
