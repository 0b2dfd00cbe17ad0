"""Every command that runs a model runs it on the device that is named."""

import json

import pytest
import torch
from typer.testing import CliRunner

from probe.audit import read
from probe.cli.commands import app
from tests.cli.conftest import call, place

__all__ = ["place"]  # a fixture
MINE = ("--plan", "mine.toml", "--allow-code")


@pytest.fixture
def on(device, monkeypatch):
    """Where the rows that were asked lay."""
    places, ask = [], torch.nn.Linear.forward

    def watched(self, x):
        places.append(x.device.type)
        return ask(self, x)

    monkeypatch.setattr(torch.nn.Linear, "forward", watched)
    return places


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("explain", *MINE, "--rows", "0:2"),
        ("attack", *MINE, "--sample", "20", "--method", "pgd", "--set", "eps=0.2", "--set", "steps=4"),
        ("bias", *MINE, "--favourable", "yes"),
    ],
    ids=lambda command: command[0],
)
def test_commands_give_the_cpus_results_on_the_device(on, device, place, command):
    expected = json.loads(call(*command, "--json").stdout)
    assert set(on) == {"cpu"}
    on.clear()
    found = json.loads(call(*command, "--device", device.type, "--json").stdout)
    assert set(on) == {device.type}
    assert flat(found) == pytest.approx(flat(expected), rel=1e-4, abs=1e-5)


def flat(document, where=""):
    """The numbers of a document by their place, and its texts."""
    if isinstance(document, dict | list):
        parts = document.items() if isinstance(document, dict) else enumerate(document)
        return {name: value for key, part in parts for name, value in flat(part, f"{where}/{key}").items()}
    if isinstance(document, int | float) and not isinstance(document, bool):
        return {where: float(document)}
    return {f"{where} = {document}": 1.0}


@pytest.mark.slow  # two audits, and one of them again
def test_an_audit_on_the_device_is_that_of_the_cpu_and_is_verified_by_running_it_there_again(on, device, place):
    call("audit", *MINE, "--device", device.type, "--out", "there")
    assert set(on) == {device.type}
    call("audit", *MINE, "--out", "here")
    there, here = (read(place / folder / "mine") for folder in ("there", "here"))
    assert {step.name: step.status for step in there.manifest.steps} == {
        step.name: step.status for step in here.manifest.steps
    }
    assert {finding.status for finding in there.manifest.findings} == {
        finding.status for finding in here.manifest.findings
    }
    on.clear()
    done = call("verify", "there/mine", "--rerun", "--device", device.type, "--allow-code")
    assert done.exit_code in (0, 1), done.output
    assert set(on) == {device.type}


@pytest.mark.slow
def test_a_network_is_trained_on_the_device(on, device, place):
    arguments = ("train", "--data", "people.csv", "--label", "hired", "--set", "epochs=2", "--arch", "bins=4")
    call(*arguments, "--device", device.type, code=0)
    assert device.type in on
    on.clear()
    told = call("explain", "trained/people", "--rows", "0:1", "--device", device.type, "--json", code=0)
    assert set(on) == {device.type}
    assert json.loads(told.stdout)["features"]


@pytest.mark.parametrize(
    "command",
    [
        ("explain", *MINE),
        ("attack", *MINE),
        ("bias", *MINE),
        ("audit", *MINE),
        ("train", "adult-mlp", "--out", "trained"),
    ],
    ids=lambda command: command[0],
)
def test_a_missing_device_is_refused_in_one_sentence(place, command):
    result = CliRunner().invoke(app, [*command, "--device", "cuda:7"], env={"COLUMNS": "400"})
    assert result.exit_code == 2, result.output
    assert "the device 'cuda:7' cannot be used here" in result.output
    assert "use cpu" in result.output
    assert not (place / "runs").exists() or not list((place / "runs").iterdir())
