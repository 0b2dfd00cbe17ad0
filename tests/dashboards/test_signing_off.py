"""A sign-off written from the page of evidence, and the report printed there."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from probe_dashboards.views import runs, signing_off

from probe.audit import read
from probe.audit.signoff import open_failures, signoffs
from probe.errors import PlanError
from probe.report import pdf
from tests.dashboards.test_pages import opened, text


@pytest.fixture
def mine(bundles, tmp_path, arguments):
    folder = Path(shutil.copytree(bundles.table.folder, tmp_path / "demo"))
    arguments(tmp_path)
    return folder


def sent(app, *, decided):
    """Fill the form in and send it; the first `decided` failures are accepted and the last of them rejected."""
    for label, value in (("Your name", "Ada"), ("Your role", "auditor")):
        next(each for each in app.text_input if each.label == label).set_value(value)
    next(each for each in app.text_area if each.label.startswith("Your statement")).set_value("Looked at all of it.")
    for number in range(decided):
        app.radio[number].set_value("rejected" if number == decided - 1 else "accepted")
        next(e for e in app.text_input if e.label == f"Reason for {number + 1}").set_value(f"because {number}")
    return next(each for each in app.button if each.label == "Write the sign-off").click().run()


@pytest.mark.slow
def test_a_sign_off_of_the_page_is_the_one_of_the_command_and_follows_the_one_before(mine):
    failures = list(open_failures(read(mine).manifest))
    assert failures
    app = opened(mine.parent, "evidence")
    assert len(app.radio) == len(failures)
    app = sent(app, decided=len(failures))
    (record,) = signoffs(read(mine))
    assert (record.name, record.role, record.statement) == ("Ada", "auditor", "Looked at all of it.")
    assert [each.check for each in record.decisions] == failures
    assert [each.decision for each in record.decisions] == ["accepted"] * (len(failures) - 1) + ["rejected"]
    said = text(app)
    assert "because 0" in said
    assert any("Sign-off 1 was written" in each.value for each in app.success)
    sent(app, decided=len(failures))
    assert [each.number for each in signoffs(read(mine))] == [1, 2]
    assert runs.check(mine).intact


@pytest.mark.slow
def test_without_a_decision_about_each_failure_nothing_is_written(mine):
    failures = open_failures(read(mine).manifest)
    app = sent(opened(mine.parent, "evidence"), decided=len(failures) - 1)
    assert "Nothing was written: 1 open failures have no decision" in text(app)
    assert not (mine / "signoffs").exists()


def test_an_audit_that_changed_since_it_was_looked_at_is_not_signed_off(mine):
    stale = runs.Opened("demo", read(mine), "another stamp", {}, None)
    with pytest.raises(PlanError, match="changed since the page was drawn"):
        signing_off.write(stale, "Ada", "auditor", "Fine.", {})
    assert not (mine / "signoffs").exists()


def test_an_incomplete_audit_and_one_that_cannot_be_written_are_not_offered_a_form(bundles, monkeypatch):
    assert "not complete" in signing_off.refused(bundles.interrupted)
    assert not signing_off.refused(bundles.table)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot be written" in signing_off.refused(bundles.table)
    monkeypatch.undo()
    findings = bundles.table.manifest.findings
    failed = next(each for each in findings if each.status == "fail")
    many = tuple(replace(failed, check=f"{failed.check} {at}") for at in range(signing_off.MOST + 1))
    crowded = replace(bundles.table, manifest=replace(bundles.table.manifest, findings=many))
    assert "too many for a form" in signing_off.refused(crowded)


@pytest.mark.parametrize(
    ("user", "browser", "said"),
    [(0, "/bin/chromium", "as root"), (1000, None, "no Chromium"), (1000, "/bin/chromium", "")],
)
def test_a_page_is_printed_where_there_is_a_browser_in_its_sandbox(monkeypatch, user, browser, said):
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name: browser)
    assert said in pdf.unprintable() if said else pdf.unprintable() == ""


@pytest.mark.slow
def test_the_report_is_printed_when_asked_and_kept_until_its_choice_changes(mine, monkeypatch):
    printed = []
    monkeypatch.setattr(pdf, "unprintable", lambda: "")
    monkeypatch.setattr(pdf, "to_pdf", lambda page: printed.append(page) or b"%PDF")
    app = opened(mine.parent, "evidence")
    next(each for each in app.button if each.label == "Print as PDF").click().run()
    assert len(printed) == 1
    assert "<html" in printed[0]
    assert any(each.proto.label == "Report (PDF)" for each in app.get("download_button"))
    next(each for each in app.text_area if each.label.startswith("Notes")).set_value("mine").run()
    assert not any(each.proto.label == "Report (PDF)" for each in app.get("download_button"))
