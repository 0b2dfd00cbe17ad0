"""What a command's exit code says of the findings."""

import pytest

from probe.cli.app import exit_code


@pytest.mark.parametrize(("statuses", "usual", "strict"), [
    ([], 0, 0),
    (["pass", "pass"], 0, 0),
    (["pass", "inconclusive"], 0, 1),
    (["not run"], 0, 1),
    (["pass", "fail", "inconclusive"], 1, 1),
    (["error"], 1, 1),
])  # fmt: skip
def test_the_exit_code_is_1_for_a_fail_and_for_inconclusive_only_with_strict(statuses, usual, strict):
    assert exit_code(statuses) == usual
    assert exit_code(iter(statuses), strict=True) == strict


@pytest.mark.slow
def test_an_audit_in_which_nothing_failed_ends_with_0_and_with_1_if_strict(probe, place):
    plan = place / "mine.toml"
    text = plan.read_text().replace('groups = ["sex"]\n', "")
    text = text.replace("[explain]\nsample = 2", "[explain]\nsample = 0").replace("sample = 20", "sample = 0")
    plan.write_text(text + "\n[checks]\ncalibration_error = 1.0\n")
    probe("audit", "--plan", "mine.toml", "--allow-code", code=0)
    probe("audit", "--plan", "mine.toml", "--allow-code", "--strict", code=1)
