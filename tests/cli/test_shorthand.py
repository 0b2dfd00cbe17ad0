"""Settings as options of their own: --eps 8/255 for --set eps=8/255."""

import json

import pytest

from probe.cli.shorthand import written_out

OWN = {"--help", "--method", "--set", "--seed", "--json"}
SETTINGS = {"eps", "random_start", "goal", "seed"}


@pytest.mark.parametrize(("args", "full"), [
    ("adult-mlp --eps 8/255 --json", "adult-mlp --set eps=8/255 --json"),
    ("--eps=8/255", "--set eps=8/255"),
    ("--eps -1", "--set eps=-1"),
    ("--random-start true", "--set random_start=true"),
    ("--goal targeted --goal.target=3", "--set goal=targeted --set goal.target=3"),
    ("--seed 3 --method pgd", "--seed 3 --method pgd"),
    ("--stepz 3", "--stepz 3"),
    ("--set eps=1 -- --eps 2", "--set eps=1 -- --eps 2"),
    ("-1", "-1"),
])  # fmt: skip
def test_an_option_that_is_a_setting_is_written_out(args, full):
    assert written_out(args.split(), OWN, lambda: SETTINGS) == full.split()


def test_settings_are_looked_up_only_for_an_unknown_option():
    assert written_out(["a", "--method", "pgd"], OWN, lambda: pytest.fail("looked up")) == ["a", "--method", "pgd"]


@pytest.mark.slow
def test_commands_take_settings_as_options(probe, place):
    said = ("--plan", "mine.toml", "--allow-code", "--sample", "8", "--json")
    short = probe("attack", *said, "--method", "fgsm", "--eps", "0.2", code=0).stdout
    assert json.loads(short)["method"]["eps"] == 0.2
    assert short == probe("attack", *said, "--method", "fgsm", "--set", "eps=0.2", code=0).stdout
    assert "--eps is a setting and needs a value" in probe("attack", *said, "--eps", "--json", code=2).stderr
    assert "No such option: --stepz" in probe("attack", *said, "--stepz", "3", code=2).stderr


def test_a_training_takes_its_settings_as_options(probe, place):
    said = ("train", "--data", "people.csv", "--label", "hired")
    assert "epoch 1/1" in probe(*said, "--epochs", "1", code=0).output
    assert "epochs" in probe(*said, "--epochs", "0", "--out", "two", code=2).stderr


def test_a_network_of_the_zoo_brings_its_training_rows_to_a_method_that_needs_them(probe):
    said = ("survey", "german-mlp", "--method", "nearest_cases", "--layer", "0", "--sample", "5", "--json")
    shown = probe(*said)
    assert "training rows" not in shown.stderr
    said = ("survey", "german-mlp", "--method", "membership_auroc", "--shadows", "2", "--sample", "40", "--json")
    assert json.loads(probe(*said, code=0).stdout)["measured"]
