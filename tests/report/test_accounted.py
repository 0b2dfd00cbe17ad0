"""What a report says of use, rows and clauses: no more than the audit knows, with counts that agree."""

import csv
import io
import re
import shutil

import pytest

from probe.audit import plan_from, read, reading, verify
from probe.audit.canonical import digest, dump
from probe.audit.plan import record_of
from probe.audit.strict import plain
from probe.errors import IntegrityError
from probe.formatting import count
from probe.report import SECTIONS, Choice, render
from probe.report.crosswalk import CLAUSES
from probe.report.exports import EXPORTS
from probe.report.sections.crosswalk import measured
from tests.audit.forging import Forged

SAID = {
    "use": "first | reading <b>",
    "users": "clerks",
    "people": "",
    "out_of_scope": "dismissal",
    "responsible": "Ada",
}


@pytest.fixture(scope="module")
def told(table, tmp_path_factory):
    """The same audit with a plan that says what the model is for."""
    forged = Forged(shutil.copytree(table.folder, tmp_path_factory.mktemp("told") / table.name))
    forged.manifest["plan"]["about"] = SAID
    forged.save()
    return read(forged.folder)


@pytest.mark.slow
def test_the_first_page_the_scope_and_the_card_say_what_the_plan_says_of_use_and_that_it_was_not_checked(told):
    cover = render(told, Choice(("limits",)))
    assert "<dt>Intended use</dt><dd>first | reading &lt;b&gt;</dd>" in cover
    assert "As the plan says; the audit has not checked it." in cover
    assert "Whom the answers are about" not in cover
    scope = render(told, Choice(("scope",))).split('<section id="scope"')[1]
    assert "dismissal" in scope
    card = EXPORTS["card"].write(told)
    use = card.split("## Intended use")[1].split("##")[0]
    assert r"first \| reading \<b\>" in use
    assert "has not checked it" in use
    assert "Ada" in card.split("## Model details")[1].split("##")[0]
    assert "Ada" not in use


@pytest.mark.slow
def test_a_plan_that_says_nothing_of_use_is_written_as_before_and_the_report_says_so(table):
    assert "about" not in plain(table.manifest.plan)
    assert table.manifest.to_json()["plan"].keys() >= {"name", "checks"}
    assert "its section [about] is empty" in render(table, Choice(("scope",)))
    assert "whoever publishes the model must add it" in EXPORTS["card"].write(table)


@pytest.mark.slow
def test_use_is_part_of_the_digest_and_an_empty_section_has_one_form_alone(told, table, tmp_path):
    assert verify(told.folder).digest != table.manifest.digest
    folder = shutil.copytree(table.folder, tmp_path / table.name)
    document = table.manifest.to_json()
    document["plan"]["about"] = dict.fromkeys(SAID, "")
    (folder / "audit.json").write_bytes(dump(document | {"digest": digest(document)}))
    with pytest.raises(IntegrityError, match="not written as an audit writes it"):
        read(folder)


def test_a_plan_with_a_section_about_use_is_read_again_as_it_was():
    plan = plan_from({"name": "a", "model": {"zoo": "any"}, "about": {"use": "triage"}})
    record = record_of(plan.resolve(form="table"))
    assert record.about.use == "triage"
    assert plan_from(plain(record), sources=False).about == plan.about


@pytest.mark.slow
def test_the_ledger_has_a_line_for_each_row_and_its_counts_are_those_of_the_first_page(table, image):
    for bundle in (table, image):
        rows = list(csv.DictReader(io.StringIO(EXPORTS["rows"].write(bundle))))
        manifest = bundle.manifest
        assert len(rows) == manifest.data.n
        assert [int(row["row"]) for row in rows] == bundle.arrays("predictions")["rows"].tolist()
        page = render(bundle, Choice(("ledger",)))
        assert f"{count(manifest.data.n)} rows" in page.split("<section")[0]
        for step in manifest.steps:
            use = {"explainer": "explained", "attack": "attacked"}.get(step.kind)
            if use:
                drawn = set(bundle.arrays(step.name)["rows"].tolist())
                assert {at for at, row in enumerate(rows) if row[use] == "used"} == drawn
        for part, used, out, _ in reading.tallied(bundle):
            assert used == sum(row[part] == "used" for row in rows)
            assert used + out == manifest.data.n
            assert re.search(f"{re.escape(part)}.*?{count(used)}.*?{count(out)}", page, flags=re.DOTALL)


def test_rows_that_name_no_group_are_left_out_in_the_ledger_as_often_as_the_first_page_says(table, tmp_path):
    from probe.audit.assessment import assess

    forged = Forged(shutil.copytree(table.folder, tmp_path / table.name))
    groups = table.groups()
    groups.loc[:6, "sex"] = None
    forged.write_table("groups", groups)
    forged.save()
    bundle = read(forged.folder)
    told = assess(bundle).tables["bias_row_accounting"].set_index("attribute").loc["sex"]
    by_part = {part: (used, out) for part, used, out, _ in reading.tallied(bundle)}
    assert by_part["compared by sex"] == (told["used"], told["unknown"]) == (393, 7)


def test_an_audit_without_predictions_has_a_ledger_too(table, tmp_path):
    forged = Forged(shutil.copytree(table.folder, tmp_path / table.name))
    for kept in list(forged.manifest["files"]):
        del forged.manifest["files"][kept]
    forged.manifest |= {"steps": [], "findings": [], "contents": {}, "status": "running", "report_sha256": None}
    forged.save()
    assert [part[:3] for part in reading.tallied(read(forged.folder))] == [("answered", 0, 400)]


@pytest.mark.slow
def test_the_crosswalk_names_sections_that_exist_and_says_what_is_not_covered(table, image):
    assert {name for each in CLAUSES for name in each.sections} <= SECTIONS.keys()
    assert len({(each.of, each.clause) for each in CLAUSES}) == len(CLAUSES)
    page = render(table, Choice(("crosswalk",)))
    assert page.count("<td>not covered</td>") == sum(not each.sections for each in CLAUSES) > 3
    assert "does not say that any clause is met" in page
    assert not re.search(r"\b(compliant|complies|conforms|certified as)\b", page)
    assert measured(table, "bias")
    assert not measured(image, "bias")
    assert "not measured here: " in render(image, Choice(("crosswalk",)))


def test_a_clause_that_is_not_covered_says_what_it_lacks():
    for each in CLAUSES:
        assert each.sections or each.lacks, each.clause
