"""`probe train NAME... --seeds --engine`: the trainings of one after the other, at once."""

import sys

import pytest

from probe.cli import apart
from probe.engines import Outcome, processes
from tests.cli.test_train_tables import FEW, table
from tests.processes import FORKED

ASKED = ("train", "people", "--data", "t.csv", *FEW, "--tolerance", "0", "--drop-missing", "--seeds", "3")


def test_each_seed_that_is_not_done_is_a_job_with_the_options_that_were_given(probe, place, monkeypatch):
    (place / "mine").mkdir()
    (place / "mine" / "card.json").touch()
    (place / "t.csv").write_text(table())
    asked = []
    monkeypatch.setattr(
        apart, "run_jobs", lambda engine, jobs, *_: asked.extend(jobs) or {jobs[0]: Outcome(2, "no rows")}
    )
    said = probe(*ASKED, "--seed", "5", "--out", "mine", "--engine", "processes", "--workers", "2", code=2)
    assert "people, seed 6: no rows; the same command continues it in mine/seed-6" in said.stdout + said.stderr
    assert [job.shard for job in asked] == ["seed 6", "seed 7"]
    command = asked[0].command
    assert command[3:5] == (str(place), sys.executable)
    given = ["people", "--data=t.csv", "--label=y", "--drop-missing", "--set=epochs=1", "--arch=bins=2"]
    assert list(command[8:]) == [*given, "--arch=widths=[4]", "--seed=6", "--out=mine/seed-6"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--seeds", "1", "--engine", "processes"), "add --seeds 4"),
        (("--workers", "2"), "add --engine processes"),
        (("--engine", "steam"), "there are processes, ray, slurm"),
    ],
)
def test_an_engine_with_one_training_is_refused(probe, place, more, said):
    (place / "t.csv").write_text(table())
    result = probe(*ASKED, *more, code=2)
    assert said in result.stdout + result.stderr


def test_each_network_and_seed_is_a_job(probe, place, monkeypatch):
    asked = []
    monkeypatch.setattr(
        apart, "run_jobs", lambda engine, jobs, *_: asked.extend(jobs) or {jobs[-1]: Outcome(2, "no disk")}
    )
    said = probe(
        "train", "adult-mlp", "fashion-mlp", "--seeds", "2", "--epochs", "1", "--engine", "processes", code=2
    ).stderr
    assert "fashion-mlp, seed 1: no disk; the same command continues it in trained/fashion-mlp/seed-1" in said
    assert [job.command[8:] for job in asked] == [
        (name, "--set=epochs=1", f"--seed={seed}", f"--out=trained/{name}{'/seed-1' * seed}")
        for name in ("adult-mlp", "fashion-mlp")
        for seed in (0, 1)
    ]


def test_own_data_train_one_network(probe, place):
    (place / "t.csv").write_text(table())
    assert (
        "--data trains one network, and a and b are named" in probe("train", "a", "b", "--data", "t.csv", code=2).stderr
    )


def test_several_networks_are_trained_one_after_the_other(probe, place, monkeypatch):
    trained = []

    def pretend(name, *, out, seed, recipe, **_):
        trained.append((name, str(out), recipe.settings.epochs))
        return {"metrics": {}, "training": {"fitting": {"verdict": "fine", "reason": "it fits"}}}

    monkeypatch.setattr("probe_models.zoo.train.train", pretend)
    said = probe("train", "adult-mlp", "fashion-mlp", "--epochs", "2", "--out", "both", code=0).stdout
    assert trained == [("adult-mlp", "both/adult-mlp", 2), ("fashion-mlp", "both/fashion-mlp", 2)]
    assert said.index("adult-mlp\n") < said.index("Saved in both/adult-mlp") < said.index("Saved in both/fashion-mlp")


@pytest.mark.slow
def test_seeds_trained_at_once_are_those_of_one_after_the_other_and_are_found_by_the_same_command(
    probe, place, monkeypatch
):
    monkeypatch.setattr(processes, "subprocess", FORKED)
    monkeypatch.setattr(processes, "can_fork", lambda: False)
    (place / "t.csv").write_text(table())
    asked = ("train", "people", "--data", "t.csv", *FEW, "--seeds", "2", "--out")
    probe(*asked, "one", code=0)
    at_once = probe(*asked, "two", "--engine", "processes", "--workers", "2", code=0)
    assert "people seed 1: done" in at_once.stderr
    for weights in ("model.safetensors", "seed-1/model.safetensors"):
        assert (place / "one" / weights).read_bytes() == (place / "two" / weights).read_bytes()
    cards = [(place / "two" / card).read_bytes() for card in ("card.json", "seed-1/card.json")]
    again = probe(*asked, "two", code=0)
    assert again.stdout == at_once.stdout
    assert "epoch" not in again.stderr
    assert [(place / "two" / card).read_bytes() for card in ("card.json", "seed-1/card.json")] == cards
