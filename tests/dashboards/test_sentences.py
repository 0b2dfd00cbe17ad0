"""An audit in three sentences."""

from dataclasses import replace

from probe_dashboards.views import summary

from probe.audit import reading
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
    assert said.endswith("it has no explainers, counterfactuals, attacks, certificates or surveys.")
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
    assert said.endswith("of the plan, it has no counterfactuals, certificates or surveys.")
