"""A command for each kind of method: what it says, keeps and refuses."""

import json

import pytest

from probe import load
from probe.cli.commands import app
from probe.registry import KINDS, listed
from tests import guest

OWN = ("--plan", "mine.toml", "--allow-code")
NEAREST, PERMUTED, SMOOTHED = (
    (verb, "--method", method)
    for verb, method in (
        ("search", "nearest_reference"), ("survey", "permutation_importance"), ("certify", "randomized_smoothing")
    )
)  # fmt: skip


@pytest.mark.slow
def test_every_kind_that_has_a_verb_has_a_command_whose_help_lists_its_methods(probe):
    commands = {each.name for each in app.registered_commands}
    assert {kind.verb for kind in KINDS.values()} - {""} == {"explain", "attack", "search", "certify", "survey"}
    for kind in KINDS.values():
        if kind.verb:
            assert kind.verb in commands
            said = probe(kind.verb, "--help", code=0).stdout
            assert all(name in said for name in listed(kind.family))


@pytest.mark.parametrize(
    ("command", "metrics", "told"),
    [
        (NEAREST, ["validity", "changed_features"], True),
        (PERMUTED, ["permutation_importance"] * 3, False),
        (
            (*SMOOTHED, "--set", "draws=50", "--set", "chosen=10", "--eps", "1/10", "--eps", "0.2"),
            ["certified_accuracy"] * 2,
            True,
        ),
    ],
)
def test_each_kind_of_method_runs_on_a_sample_and_prints_its_measurements(probe, place, command, metrics, told):
    said = (*command, *OWN, "--sample", "12", "--seed", "3")
    document = json.loads(probe(*said, "--json", "--out", "found", code=0).stdout)
    assert [each["metric"] for each in document["measured"]] == metrics
    assert all(each["low"] <= each["value"] <= each["high"] for each in document["measured"])
    assert (document["n"], document["seed"], len(document["rows"])) == (12, 3, 12)
    assert document["forward"] > 0
    found = load("found")
    assert found.method.config() == document["method"]
    assert found.cost.forward == document["forward"]
    text = probe(*said, code=0).stdout
    assert str(found.method) in text
    assert f"cost: {document['forward']:,} examples forward" in text
    assert ("row " in text) == ("words" in document) == told


@pytest.mark.slow
def test_an_attack_aims_at_a_class_by_name_or_index(probe, place):
    said = [
        json.loads(probe("attack", *OWN, "--sample", "5", "--target", each, "--json", code=0).stdout)
        for each in ("yes", "1")
    ]
    assert said[0]["method"]["goal"] == said[1]["method"]["goal"] == {"method": "targeted", "target": 1}
    refused = probe("attack", *OWN, "--target", "yse", code=2).stderr
    assert "'yse' is no class (did you mean 'yes'?); there are no, yes" in refused
    assert (
        "--target names a class"
        in probe("attack", "adult-hours-mlp", "--sample", "5", "--target", "yes", code=2).stderr
    )


def test_a_counterfactual_is_printed_in_words_with_its_answer_and_its_length(probe, place):
    asked = (*NEAREST, *OWN, "--rows", "0:3", "--target", "yes")
    said = probe(*asked, code=0).stdout
    document = json.loads(probe(*asked, "--json", code=0).stdout)
    assert document["method"]["goal"] == {"method": "targeted", "target": 1}
    assert set(document["examples"]["answer"]) == {"yes"}
    changed = [at for at, given in enumerate(document["examples"]["given"]) if given == "no"]
    assert changed
    for at in changed:
        assert document["words"][at] in said
        assert document["words"][at].startswith("no → yes by score: ")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("search", "--method", "nearest_referance"), "did you mean 'nearest_reference'"),
        ((*NEAREST, "--eps", "0.1"), "eps was given, and no attack or certificate is among the methods"),
        ((*PERMUTED, "--target", "yes"), "permutation_importance has no goal; leave it out"),
        ((*NEAREST, "--target", "yes", "--set", "goal=untargeted"), "--set goal is given by another option as well"),
        ((*NEAREST, "--rows", "5:2"), "selects none of the"),
    ],
)
def test_options_without_effect_for_a_kind_are_refused(probe, place, command, said):
    assert said in probe(*command, *OWN, code=2).stderr.replace("\n", " ")


@pytest.mark.slow
def test_a_kind_with_several_methods_needs_a_name_and_lists_guests(probe, place, tmp_path):
    own = len(listed("counterfactual"))
    (tmp_path / "site").mkdir()
    guest.install(tmp_path / "site")
    with guest.installed(tmp_path / "site"):
        assert f"name one of {own + 1} methods" in probe("search", *OWN, code=2).stderr
        assert "points on the way" in probe("search", "--help", code=0).stdout
        document = json.loads(
            probe("search", *OWN, "--method", "towards_reference", "--sample", "5", "--json", code=0).stdout
        )
        assert document["method"]["method"] == "towards_reference"


def test_an_attack_ends_once_a_share_is_decided(probe, place):
    decided = json.loads(probe("attack", *OWN, "--set", "eps=0", "--until", "0.01", "--json", code=0).stdout)
    assert (decided["threshold"], decided["status"]) == (0.01, "pass")
    assert decided["share"][1] > 0.01
    assert len(set(decided["rows"])) == decided["n"]
    assert "an interval that holds after each batch" in probe("attack", *OWN, "--until", "0.01", code=0).stdout


@pytest.mark.slow
def test_a_stored_attack_is_asked_again_without_attacking(probe, place):
    made = json.loads(probe("attack", *OWN, "--sample", "9", "--out", "found", "--json", code=0).stdout)
    again = json.loads(probe("attack", *OWN, "--stored", "found", "--json", code=0).stdout)
    assert again["n"] == 9
    assert again["stored"] == again["reached"] == int(load("found").success.sum())
    assert again["forward"] <= 18 < made["forward"]
    assert "9 stored rows of " in probe("attack", *OWN, "--stored", "found", code=0).stdout
    probe("explain", *OWN, "--out", "map", code=0)
    assert "expected the result of an attack" in probe("attack", *OWN, "--stored", "map", code=2).stderr
