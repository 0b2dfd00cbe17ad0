"""`probe train --seeds --engine`: the trainings of one after the other, at once."""

import sys

import pytest

from probe.cli import seeds
from probe.engines import Outcome
from tests.cli.test_train_tables import FEW, table

ASKED = ("train", "people", "--data", "t.csv", *FEW, "--tolerance", "0", "--drop-missing", "--seeds", "3")


def test_each_seed_that_is_not_done_is_a_job_with_the_options_that_were_given(probe, place, monkeypatch):
    (place / "mine").mkdir()
    (place / "mine" / "card.json").touch()
    (place / "t.csv").write_text(table())
    asked = []
    monkeypatch.setattr(
        seeds, "run_jobs", lambda engine, jobs, *_: asked.extend(jobs) or {jobs[0]: Outcome(2, "no rows")}
    )
    said = probe(*ASKED, "--seed", "5", "--out", "mine", "--engine", "processes", "--workers", "2", code=2)
    assert "seed 6: no rows; the same command continues it in mine/seed-6" in said.stdout + said.stderr
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
def test_an_engine_without_several_seeds_is_refused(probe, place, more, said):
    (place / "t.csv").write_text(table())
    result = probe(*ASKED, *more, code=2)
    assert said in result.stdout + result.stderr


@pytest.mark.slow
def test_seeds_trained_at_once_are_those_of_one_after_the_other(probe, place):
    (place / "t.csv").write_text(table())
    for name, more in (("one", ()), ("two", ("--engine", "processes", "--workers", "2"))):
        probe("train", "people", "--data", "t.csv", *FEW, "--seeds", "2", "--out", name, *more, code=0)
    for weights in ("model.safetensors", "seed-1/model.safetensors"):
        assert (place / "one" / weights).read_bytes() == (place / "two" / weights).read_bytes()
