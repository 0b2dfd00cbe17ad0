import shutil
from dataclasses import replace

import pytest
from probe_dashboards.views import comparing, runs

from probe.audit import read
from probe.audit.changes import changes
from probe.audit.pairing import compare
from probe.finding import Finding
from probe.formatting import MINUS
from tests.dashboards.test_pages import opened, tables, text


@pytest.fixture(scope="module")
def folder(bundles, tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    for name in ("table", "better", "image", "tampered", "hostile", "interrupted"):
        shutil.copytree(getattr(bundles, name).folder, home / name)
    other = read(home / "image")  # of other data, by its digest
    other.change(data=replace(other.manifest.data, sha256="c" * 64, name="other people"))
    other.save()
    return home


@pytest.fixture(scope="module")
def ids(folder):
    return {run.folder.rpartition("/")[2]: run.id for run in runs.listing(folder)[0]}


@pytest.fixture(scope="module")
def found(folder):
    return compare(read(folder / "table"), read(folder / "better"))


def show(folder, ids, first, second):
    return opened(folder, "compare", first=ids[first], second=ids[second])


def finding(check, status, **more):
    return Finding(aspect="bias", check=check, status=status, **more)


def test_findings_are_paired_by_their_check_and_what_got_worse_comes_first():
    before = [finding("a", "pass"), finding("b", "fail"), finding("c", "pass"), finding("d", "pass")]
    after = [finding("c", "inconclusive"), finding("b", "pass"), finding("a", "fail"), finding("e", "fail")]
    found = changes(before, after)
    assert [c.there.check for c in found.changed] == ["a", "c", "b"]
    assert [c.there.check for c in found.new] == ["e"]
    assert [c.there.check for c in found.gone] == ["d"]
    assert not found.same


def test_a_status_that_changed_with_its_threshold_says_so():
    before, after = (finding("a", s, threshold=t, estimate=0.5) for s, t in (("pass", 0.4), ("fail", 0.6)))
    (change,) = changes([before], [after]).changed
    assert change.note == "the threshold changed from ≥\u202f40.0\u202f% to ≥\u202f60.0\u202f%"
    assert "threshold changed" in comparing.statuses([change])["Finding"][0]


def test_several_findings_of_one_check_are_paired_in_their_order():
    found = changes([finding("a", "pass"), finding("a", "fail")], [finding("a", "pass")])
    assert (len(found.same), len(found.gone)) == (1, 1)


def test_findings_with_unchanged_status_are_counted_only(found):
    assert len(found.findings.same) == 18
    assert (
        comparing.unchanged(found.findings)
        == "18 findings have the status that they had: 14 inconclusive, 2 fail, 2 pass."
    )
    assert "2 only in the first" in comparing.said(found)
    assert "1 with another status" in comparing.said(found)


def test_the_file_of_numbers_has_every_finding_and_every_reading(found):
    table = comparing.numbers(found)
    assert len(table) == 21 + len(found.pairs)
    at = table[table["name"] == "accuracy"].iloc[-1]
    assert (at["first"], at["verdict"]) == (pytest.approx(0.935), "better")
    assert table["first"].dtype == float


@pytest.mark.slow
def test_the_two_newest_audits_of_the_same_data_are_compared_unless_others_are_asked_for(folder, ids):
    listed = runs.listing(folder)[0]
    first, second = comparing.usual(listed)
    assert second == ids["better"]
    assert first != ids["image"]
    app = opened(folder, "compare")
    assert [app.query_params[key] for key in ("first", "second")] == [first, second]


@pytest.mark.slow
def test_changed_statuses_come_first_then_readings_then_what_is_new_or_gone(folder, ids):
    app = show(folder, ids, "table", "better")
    assert [h.value for h in app.header[1:5]] == [
        "Changed statuses", "Readings that differ", "Findings that are new or gone", "Unchanged, or not compared",
    ]  # fmt: skip
    said = text(app)
    assert f"{MINUS}8.1\u202fpp [{MINUS}11.6\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{MINUS}6.0\u202fpp]" in said
    assert "✓ better" in said
    assert "gone: only in the first" in said
    assert f"probe compare {folder}/table {folder}/better" in said
    assert "What this does not show" in said
    assert not app.error


@pytest.mark.slow
def test_audits_of_different_data_are_refused_in_a_sentence(folder, ids):
    app = show(folder, ids, "table", "image")
    assert any("use different data" in warning.value for warning in app.warning)
    assert "Audit both models on the same rows" in text(app)
    assert "Changed statuses" not in text(app)
    assert "better" not in "".join(tables(app))


def test_an_audit_that_was_changed_is_not_compared(folder, ids):
    app = show(folder, ids, "table", "tampered")
    assert any("The second audit differs from what was recorded" in error.value for error in app.error)
    assert not tables(app)
    assert not app.dataframe


@pytest.mark.slow
def test_an_incomplete_audit_is_compared_with_a_notice(folder, ids):
    assert "The first audit is interrupted" in text(show(folder, ids, "interrupted", "better"))


def test_a_stale_link_to_a_comparison_says_what_is_shown_instead(folder, ids):
    app = opened(folder, "compare", first="gone~000000000000", second=ids["better"])
    assert any(warning.value.startswith("This link") for warning in app.warning)


def test_an_audit_which_a_link_may_name_by_its_folder_is_not_compared_with_itself(folder, ids):
    app = opened(folder, "compare", first="table", second="table")
    assert any("same audit" in info.value for info in app.info)
    assert app.query_params["first"] == app.query_params["second"] == ids["table"]


def test_a_button_swaps_both_audits(folder, ids, arguments):
    arguments(folder)
    app = show(folder, ids, "table", "better")
    next(button for button in app.button if button.label == "Swap").click().run()
    assert app.query_params["first"] == ids["better"]
    assert "✕ worse" in text(app)


@pytest.mark.slow
def test_hostile_names_are_text_in_a_comparison(folder, ids):
    app = show(folder, ids, "table", "hostile")
    shown = "".join(str(e.value) for e in app.markdown)
    assert "<script" not in "".join(tables(app))
    for foreign in ("<script", "](", "://", "$\\frac"):
        assert foreign not in shown
