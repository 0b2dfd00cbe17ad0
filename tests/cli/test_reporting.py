"""`probe report` and `probe export` of an audit."""

import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from probe.report import pdf
from tests.dashboards.conftest import table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return table(tmp_path_factory.mktemp("reported") / "people").folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "people")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_findings_are_written_for_other_tools(probe, here):
    assert ElementTree.fromstring(probe("export", "people", "--format", "junit", code=0).stdout).tag == "testsuites"
    probe("export", "people", "--format", "sarif", "--out", "x.sarif", code=0)
    assert json.loads((here / "x.sarif").read_text())["version"] == "2.1.0"
    assert "exists" in probe("export", "people", "--format", "card", "--out", "x.sarif", code=2).stderr
    assert "say --format, one of json, csv, toml" in probe("export", "people", code=2).stderr
    assert "there are html, json, csv, toml" in probe("report", "people", "--format", "docx", code=2).stderr
    assert "is not an audit" in probe("export", "fashion-cnn", "--format", "sarif", code=2).stderr
    (here / "people" / "tables" / "robustness.csv").write_text("x")
    assert "its digest differs" in probe("export", "people", "--format", "sarif", code=4).stderr


@pytest.mark.slow
def test_a_report_is_written_with_chosen_sections_notes_and_seal(probe, here):
    (here / "notes.txt").write_text("Read on Monday.")
    asked = ("--sections", "scope, findings", "--notes", "notes.txt", "--out", "page.html")
    probe("report", "people", *asked, code=0)
    page = (here / "page.html").read_text()
    assert "Read on Monday." in page
    assert 'id="cost"' not in page
    digest = json.loads((here / "people" / "audit.json").read_text())["digest"]
    assert "<dd>is the one you were given</dd>" in probe("report", "people", "--digest", digest, code=0).stdout
    assert "no section 'summary'; there are scope" in probe("report", "people", "--sections", "summary", code=2).stderr
    assert "there is no file absent" in probe("report", "people", "--notes", "absent", code=2).stderr
    refused = probe("report", "people", "--format", "csv", "--sections", "scope", code=2).stderr
    assert "--sections is for the page" in refused


@pytest.mark.slow
def test_without_a_chromium_a_report_is_not_printed_and_what_to_do_is_said(probe, here, monkeypatch):
    monkeypatch.setattr(pdf, "BROWSERS", ("no-browser-at-all",))
    printed = ("report", "people", "--pdf", "x.pdf", "--sections", "scope")
    assert "there is no Chromium or Chrome" in probe(*printed, code=2).stderr
    browser = here / "browser"
    monkeypatch.setattr(pdf, "BROWSERS", (str(browser),))
    # A browser that prints nothing, and one that prints too much.
    for does, why in (
        ("", "printed nothing"),
        ("out.write_bytes(b'%PDF' + bytes(6 * 2**20))", "at most 5 can be sent"),
    ):
        find = (
            "import sys; from pathlib import Path; [out] = [Path(a[15:]) for a in sys.argv if '--print-to-pdf=' in a]"
        )
        browser.write_text(f"#!{sys.executable}\n{find}\n{does}\n")
        browser.chmod(0o755)
        assert why in probe(*printed, code=2).stderr
    assert not (here / "x.pdf").exists()


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, pdf.BROWSERS)), reason="there is no Chromium")
def test_a_chromium_prints_a_report(probe, here):
    probe("report", "people", "--pdf", "x.pdf", "--sections", "scope", code=0)
    data = Path("x.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert len(data) < 5 * 2**20
    assert b"/Type /Page" in data
    assert "exists" in probe("report", "people", "--pdf", "x.pdf", code=2).stderr
    assert sorted(path.name for path in here.iterdir()) == ["people", "x.pdf"]
