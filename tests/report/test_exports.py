"""An audit in the forms of other tools, by the rules that their schemas have."""

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest

from probe.audit import read
from probe.report import SECTIONS, Choice, blocks, render
from probe.report.exports import EXPORTS
from probe.statuses import STATUSES
from tests.audit.forging import Forged
from tests.dashboards.conftest import HOSTILE, hostile, table

NOT_DECIDED = ("inconclusive", "not run")


@pytest.fixture(scope="module", params=[table, hostile])
def bundle(request, tmp_path_factory):
    """An audit with a finding of each status."""
    forged = Forged(request.param(tmp_path_factory.mktemp("exported") / "people").folder)
    for finding, status in zip(forged.manifest["findings"], STATUSES, strict=False):
        finding |= {"status": status, "note": "why & <how>]]>"}
    forged.save()
    return read(forged.folder)


def test_junit_has_a_case_for_each_finding_and_none_that_was_not_decided_passed(bundle):
    whole = ElementTree.fromstring(EXPORTS["junit"].write(bundle))
    assert whole.tag == "testsuites"
    cases = list(whole.iter("testcase"))
    assert len(cases) == len(bundle.manifest.findings)
    for case, finding in zip(cases, bundle.manifest.findings, strict=True):
        assert set(case.keys()) >= {"name", "classname", "time"}
        outcomes = [child for child in case if child.tag in ("failure", "error", "skipped")]
        expected = {"pass": [], "fail": ["failure"], "error": ["error"]}.get(finding.status, ["skipped"])
        assert [child.tag for child in outcomes] == expected
        assert all(child.get("message") for child in outcomes)
    for suite in [whole, *whole.iter("testsuite")]:
        inside = list(suite.iter("testcase"))
        assert suite.get("tests") == str(len(inside))
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(key) == str(sum(case.find(tag) is not None for case in inside))


def test_sarif_has_what_its_schema_requires_and_a_note_for_what_was_not_decided(bundle):
    document = json.loads(EXPORTS["sarif"].write(bundle))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "probe"
    assert len({rule["id"] for rule in rules}) == len(rules)
    lines = (bundle.folder / "audit.json").read_text().split("\n")
    for result, finding in zip(run["results"], bundle.manifest.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["kind"] == ("pass" if finding.status == "pass" else "fail")
        expected = {"pass": "none", "fail": "error", "error": "error"}.get(finding.status, "note")
        assert result["level"] == expected
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "audit.json"
        assert json.dumps(finding.check, ensure_ascii=False) in lines[place["region"]["startLine"] - 1]


def test_a_model_card_has_the_parts_of_one_and_says_what_it_does_not_know(bundle):
    card = EXPORTS["card"].write(bundle)
    parts = ("Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data")
    parts += ("Quantitative analyses", "Ethical considerations", "Caveats and recommendations")
    assert re.findall("^## (.+)$", card, flags=re.MULTILINE) == list(parts)
    assert "whoever publishes the model must add it" in card
    for finding in bundle.manifest.findings:
        assert finding.written().n in card
    tables = [line for line in card.split("\n") if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 6) for line in tables)


@pytest.mark.parametrize("form", EXPORTS)
def test_foreign_text_is_text_in_every_form(bundle, form):
    written = EXPORTS[form].write(bundle)
    if form in ("junit", "card"):
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in written
        assert not re.search(r"(?<!\\)<script", written)
    if form == "card":
        assert not [name for name in HOSTILE[:5] if name in written]
        assert not re.search(r"(?<!\\)\[|(?<!\\)\]\(", re.sub(r"estimate \[95 % interval\]", "", written))
    if form == "csv":
        assert not [cell for row in csv.reader(io.StringIO(written)) for cell in row if cell.startswith(("=", "@"))]


@pytest.mark.slow
def test_a_report_has_the_sections_that_were_chosen_the_notes_and_one_seal(bundle, monkeypatch):
    page = render(bundle, Choice(("limits", "scope"), "First.\n\n<b>Second</b>", "signed by Ada <b>"))
    ids = re.findall('<section id="([^"]+)"', page)
    assert ids == ["notes", "scope", "limits", "terms"]
    assert "<p>First.</p>" in page
    assert "&lt;b&gt;Second&lt;/b&gt;" in page
    assert "<dd>signed by Ada &lt;b&gt;</dd>" in page
    assert "Skip to the findings" not in page
    monkeypatch.setattr(blocks, "to_svg", lambda ax, **how: "<svg></svg>")  # which takes most of the time
    whole = render(bundle)
    assert re.findall('<section id="([^"]+)"', whole) == [*SECTIONS, "terms"]
    assert "<dt>Seal</dt><dd>consistent with itself</dd>" in whole


def test_an_audit_that_is_not_complete_has_no_seal(bundle, tmp_path):
    import shutil

    forged = Forged(shutil.copytree(bundle.folder, tmp_path / "people"))
    forged.manifest["status"] = "interrupted"
    forged.save()
    assert "<dt>Seal</dt>" not in render(read(forged.folder), Choice(("limits",)))
    assert "<dt>Seal</dt>" in render(bundle, Choice(("limits",)))
