"""An audit in three sentences."""

import re
from dataclasses import replace

import pytest
from probe_dashboards.views import summary

from probe.audit import reading
from probe.audit.titles import check_of
from probe.finding import Finding
from tests.dashboards.test_pages import opened, text


def told(bundle):
    return reading.sentences(bundle)


def test_what_was_tested_names_the_rows_and_the_methods_of_each_kind(bundles):
    said = told(bundles.table).tested
    assert said.startswith("demo was tested on 200 rows of made up: its answers to all of them; 8 rows explained by ")
    assert "saliency and lime" in said
    assert "30 rows attacked by FGSM and PGD" in said
    assert said.endswith("groups compared by sex and race.")
    assert "certified by randomized smoothing" in told(bundles.proofs).tested
    assert "surveyed by importance, odd, course and sureness" in told(bundles.proofs).tested


def test_what_failed_is_counted_without_the_checks_of_the_methods_and_says_where_it_breaks(bundles):
    bundle = bundles.image
    own = [f for f in bundle.manifest.findings if f.about == "model" and f.status in ("pass", "fail", "inconclusive")]
    failed = [f.check for f in own if f.status == "fail"]
    said = told(bundle).failed
    start = f"{len(failed)} of {len(own)} checks of the model fail" if failed else f"None of {len(own)} checks"
    assert said.startswith(start)
    assert all(name in said for name in failed[:3])
    points = [point for point in reading.attacks(bundle)[0].worst.points if point.eps]
    first = next(point for point in points if point.value < 0.5)
    assert f"fewer than half of the answers withstand {first.at} ({first.written})" in said


def test_without_a_failure_nothing_is_said_to_fail(bundles):
    passed = Finding(aspect="performance", check="accuracy", status="pass")
    bundle = replace(bundles.bare, manifest=replace(bundles.bare.manifest, findings=(passed,)))
    assert told(bundle).failed == "None of 1 checks of the model fails."


def test_what_was_not_tested_is_named_with_its_reason_and_so_are_kinds_that_the_plan_lacks(bundles):
    said = told(bundles.bare).untested
    assert said.startswith("Not tested: ")
    assert "the plan names no attack" in said
    assert said.endswith("; the plan has no explainers, counterfactuals, attacks, certificates or surveys.")
    assert "the audit ended before this step" in told(bundles.interrupted).untested


def test_small_groups_take_one_line(bundles):
    said = reading.few_rows(bundles.table)
    assert said.startswith("Too few rows for some rates: ")
    assert "Other" in said
    assert "\n" not in said
    assert reading.few_rows(bundles.image) == ""


def test_the_summary_begins_with_the_three_sentences_and_holds_plan_and_report(bundles):
    said = text(opened(bundles.table.folder.parent))
    for head in summary.sentences(bundles.table):
        assert f"**{head}.**" in said
    assert "This audit has no report" in said
    assert summary.plan(bundles.table) in said
    assert "Too few rows for some rates" in said


def test_a_method_that_an_interrupted_audit_did_not_reach_is_one_of_its_plan(bundles):
    said = reading.sentences(bundles.interrupted).untested
    assert "the audit ended before this step" in said
    assert said.endswith("; the plan has no counterfactuals, certificates or surveys.")


@pytest.mark.parametrize("kind", ["table", "image", "proofs", "prose", "graph"])
def test_findings_name_their_methods_in_words_on_every_page(bundles, kind):
    bundle = getattr(bundles, kind)
    told = [each for part in reading.register(bundle.manifest) for each in part.findings]
    assert len(told) == len(bundle.manifest.findings)
    names = {step.method["method"] for step in bundle.manifest.steps if "_" in step.method.get("method", "")}
    names |= {each.metric for step in bundle.manifest.steps for each in step.readings if "_" in each.metric}
    for words in (part for each in told for part in (each.check, each.method)):
        assert not [name for name in names if re.search(rf"\b{name}\b", words)], words
        assert not re.search(r"\w=\w", words), words
    for step in summary.steps(bundle)["Step"]:
        assert not re.search(r"_|-\w+_", step), step


def test_a_check_in_words_is_of_its_own_step_and_keeps_what_follows_the_name(bundles):
    manifest = bundles.proofs.manifest
    raw = [f.check for f in manifest.findings if f.check.startswith("randomized_smoothing: ")]
    told = [check_of(manifest, f) for f in manifest.findings]
    assert raw
    for check in raw:
        assert check.replace("randomized_smoothing", "randomized smoothing", 1) in told
    another = replace(manifest.findings[0], check="randomized_smoothing: it", step="survey-importance")
    assert check_of(manifest, another) == "randomized_smoothing: it", "another step made it"
