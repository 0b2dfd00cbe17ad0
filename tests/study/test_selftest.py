"""The self-test of metrics: every metric of explanations has a case, and one that is wrong is found."""

import json

import pytest
import torch
from typer.testing import CliRunner

from probe.cli.commands import app
from probe.metrics import Infidelity, Sparseness
from probe.registry import discover
from probe.results import Attribution
from probe.study.selftest import selftest


def test_each_metric_of_explanations_has_a_known_answer_and_tells_a_degraded_copy():
    state = torch.get_rng_state()
    trials = list(selftest())
    assert torch.equal(torch.get_rng_state(), state)
    own = {name for name, kind in discover("metric").items() if kind.__module__.startswith("probe.")}
    assert {trial.metric for trial in trials} == {
        name for name in own if discover("metric")[name].result_type() is Attribution
    }
    assert all(trial.known and trial.lower for trial in trials)


@pytest.mark.parametrize(
    ("kind", "measured"),
    [
        (Infidelity, lambda self, model, result: torch.ones(len(result), 3) * torch.tensor([0.0, 1.0, 0.0])),
        (Sparseness, lambda self, model, result: result.by_feature().abs().amax(1)),
    ],
    ids=["blind to a degraded copy", "wrong number"],
)
def test_a_metric_that_is_wrong_ends_with_exit_code_1(kind, measured, monkeypatch):
    monkeypatch.setattr(kind, "measure", measured)
    measured.__annotations__["result"] = Attribution
    told = CliRunner().invoke(app, ["selftest", "--json"])
    assert told.exit_code == 1
    assert json.loads(told.stdout)["wrong"] == [kind.name()]


def test_the_command_says_each_answer_and_ends_with_0():
    told = CliRunner().invoke(app, ["selftest"])
    assert told.exit_code == 0
    assert "✓ sparseness, one feature of 16: 0.938, known 0.938; degraded" in told.stdout
    assert told.stdout.rstrip().endswith("All metrics are as they must be.")
