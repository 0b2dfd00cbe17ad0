"""Parts of an audit, and several audits, from the command line."""

import json

import pytest

from probe.audit import read

RUN = "audit", "--plan", "mine.toml", "--allow-code"


@pytest.mark.slow
def test_parts_are_merged_to_the_audit_that_one_machine_would_have_written(probe, place):
    for number in (1, 2):
        result = probe(*RUN, "--shard", f"{number}/2", "--out", f"parts/{number}", code=0)
        assert f"Part {number}/2 of mine: parts/{number}. Merge all parts with `probe merge`." in result.stdout
        assert "s at most" in result.stderr
    assert "s at most" not in probe(*RUN, "--shard", "2/2", "--out", "parts/2", code=0).stderr
    assert "accuracy" in probe("merge", "parts", "--out", "runs/merged", code=1).stdout
    assert (place / "runs/merged/report.html").exists()
    probe("verify", "runs/merged", "--rerun", "--allow-code", code=0)
    assert "left as it is" in probe("merge", "parts", "--out", "runs/merged", code=2).stderr
    assert "such as 3/16" in probe(*RUN, "--shard", "3/2", "--out", "parts/3", code=2).stderr
    assert "leave it out" in probe(*RUN, "--shard", "1/2", "--replace", code=2).stderr
    assert "--shard 1/2" in probe("merge", "runs", "--out", "run", code=2).stderr


@pytest.mark.slow
def test_of_several_plans_one_that_cannot_be_run_does_not_end_the_others(probe, place):
    plan = (place / "mine.toml").read_text()
    (place / "bad.toml").write_text(plan.replace("people.csv", "gone.csv"))
    result = probe("audit", "bad.toml", "mine.toml", "--allow-code", code=2)
    assert "bad: " in result.stderr
    assert "2 audits" in result.stdout
    assert "gone.csv" in result.stdout.partition("2 audits")[2]
    assert read("runs/mine").complete
    failed, done = json.loads(probe("audit", "bad.toml", "mine.toml", "--allow-code", "--json", code=2).stdout)
    assert failed["error"]["code"] == 2
    assert done["status"] == "complete"
