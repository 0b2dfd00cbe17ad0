"""Report, viewer and terminal write each number and each word of an audit the same way."""

import json
import re
from functools import cache
from html import unescape
from importlib import import_module

import pytest
from probe_dashboards.app import PAGES
from probe_dashboards.views import (
    attacked,
    bias,
    evidence,
    explained,
    instance,
    performance,
    proofs,
    robustness,
    summary,
)

from probe.audit import reading
from probe.cli import summary as terminal
from probe.formatting import DASH
from probe.report import html
from probe.report.sections import findings_table
from probe.statuses import STATUSES
from probe.text import visible
from tests.report.test_report import Page

NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="session")
def report(bundles):
    """Draws the report of a bundle once: its chapters and its page."""

    @cache
    def drawn(name):
        chapters = html.sections(getattr(bundles, name))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(html, "sections", lambda *_: chapters)
            return chapters, html.render(getattr(bundles, name))

    return drawn


def in_report(bundle):
    rows = [row for block in findings_table.section(bundle).blocks for row in block.rows]
    return sorted((row["estimate"], row["interval"], row["threshold"], row["n"]) for row in rows)


def in_viewer(bundle):
    rows = [row for group in summary.groups(bundle) for row in group.findings.itertuples(index=False)]
    return sorted(_apart(*(str(cell).replace(NO_BREAK, " ") for cell in row[2:])) for row in rows)


def in_terminal(bundle):
    return sorted(_apart(*terminal._cells(bundle, finding)[2:]) for finding in bundle.manifest.findings)


def _apart(measured, threshold, n):
    value, _, ends = measured.partition(" [")
    return value, ends.rstrip("]").replace("no interval", ""), *(cell.replace(DASH, "") for cell in (threshold, n))


@pytest.mark.parametrize("name", ["table", "image", "prose", "graph", "bare", "interrupted"])
def test_the_numbers_of_every_finding_are_one_text_in_report_viewer_and_terminal(bundles, name):
    bundle = getattr(bundles, name)
    assert in_report(bundle) == in_viewer(bundle) == in_terminal(bundle)
    assert len(in_report(bundle)) == len(bundle.manifest.findings)


@pytest.mark.slow
def test_what_is_printed_and_what_is_on_the_page_hold_the_same_numbers(bundles, report, capsys):
    terminal.summary(bundles.table)
    printed, page = capsys.readouterr().out, Page(report("table")[1]).text
    for finding in bundles.table.manifest.findings:
        measured = finding.written().estimate
        assert measured.value in printed
        assert measured.value in page
        assert measured.ends in printed
        assert measured.ends in page


def test_no_share_is_written_as_a_fraction_in_a_sentence_of_the_audit(bundles):
    notes = [f.note + f.check for f in bundles.table.manifest.findings]
    said = " ".join([*notes, *summary.verdict(bundles.table)])
    fractions = re.findall(
        r"(?<![\d.])0\.\d{2,}", re.sub(r"p = [\d.]+|power [\d.]+|probability [\d.]+|eps [\d.]+", "", said)
    )
    ratios = [f.note for f in bundles.table.manifest.findings if f.unit == "number"]
    assert not [number for number in fractions if number not in json.dumps(ratios)]


@pytest.mark.slow
def test_every_status_has_one_look_everywhere(bundles, report):
    page = report("table")[1]
    for status in {f.status for f in bundles.table.manifest.findings}:
        assert f'aria-hidden="true">{STATUSES[status].sign}</span>{status}' in page
        assert terminal.signed(status) == f"{STATUSES[status].sign} {status}"
        assert list(summary.counts(bundles.table)) == list(STATUSES)


def cells_of_report(chapters):
    """Every cell of every table of the page, as text."""
    tables = []
    for block in (block for chapter in chapters for block in chapter.blocks):
        tables += [block.table] if block.kind == "figure" else [block] if block.kind == "table" else []
    return {visible(str(getattr(cell, "status", cell))) for table in tables for row in table.rows for cell in row}


def cells_of_viewer(bundle):
    """Every cell of every table of the pages, as text."""
    frames = [evidence.measured(bundle), evidence.steps(bundle), performance.measures(bundle)]
    for found in proofs.certificates(bundle).values():
        frames += [proofs.by_radius(found), proofs.proved(found)]
    frames += [proofs.items(found) for found in proofs.surveys(bundle).values()]
    if not robustness.obstacle(bundle):
        frames += [robustness.shown(bundle, by) for by in robustness.choices(bundle)]
        frames += [robustness.movable(bundle), robustness.settings(bundle), robustness.besides(bundle)]
    for slug in bias.attributes(bundle) if bias.present(bundle) else ():
        frames += [bias.counts(bundle, slug), bias.disparities(bundle, slug), bias.small(bundle, slug)]
    cells = {unescape(str(cell)) for frame in frames for column in frame for cell in frame[column]}
    return {cell.replace(NO_BREAK, " ") for cell in cells}


def numbers_read(bundle):
    """Every number of the reader, with its interval, as it is written."""
    found = [row.written for row in reading.measured(bundle)]
    for attacks in reading.attacks(bundle):
        curves = [*attacks.curves, *(curve for group in attacks.by_group.values() for curve in group)]
        found += [point.written for curve in curves for point in curve.points]
    for attribute in reading.attributes(bundle):
        found += [
            each.written for rate in reading.compared_by(bundle) for each in reading.rates(bundle, attribute, rate)
        ]
        found += [gap.estimate for gap in reading.gaps(bundle, attribute)]
    return {str(each) for each in found}


def words_read(bundle):
    """What the reader says besides: of gaps, of groups that are too small, of methods and of radii."""
    said = [row.named for row in reading.measured(bundle)]
    for attribute in reading.attributes(bundle):
        said += [
            part for gap in reading.gaps(bundle, attribute) for part in (gap.p, gap.would_fail, gap.n, gap.threshold)
        ]
        said += [few.what for few in reading.small_groups(bundle, attribute)]
    said += [each.caption for each in reading.certificates(bundle)]
    said += [curve.name for attacks in reading.attacks(bundle) for curve in attacks.curves]
    said += [each.arrays for each in reading.evidence(bundle)]
    return {visible(part) for part in said if part}


ALL = ["table", "image", "prose", "graph", "bare", "interrupted", "proofs", "hostile"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_number_that_is_read_of_a_bundle_is_one_text_in_report_and_viewer(bundles, report, name):
    bundle = getattr(bundles, name)
    numbers = numbers_read(bundle)
    assert numbers or name == "interrupted"
    assert numbers <= cells_of_report(report(name)[0])
    assert numbers <= cells_of_viewer(bundle)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_word_that_is_read_of_a_bundle_is_in_report_and_viewer(bundles, report, name):
    bundle = getattr(bundles, name)
    assert words_read(bundle) <= cells_of_report(report(name)[0])
    assert words_read(bundle) <= cells_of_viewer(bundle)


def test_report_and_viewer_name_the_groups_of_a_gap_in_the_same_words(bundles, report):
    told = {
        gap.between for attribute in reading.attributes(bundles.table) for gap in reading.gaps(bundles.table, attribute)
    }
    viewer = " ".join(
        unescape(cell)
        for slug in bias.attributes(bundles.table)
        for cell in bias.disparities(bundles.table, slug)["Gap"]
    )
    assert told <= cells_of_report(report("table")[0])
    assert all(part in viewer for part in told)
    assert len(told) > 1


def test_chapters_have_one_title_and_one_list_of_limits(report):
    shown = {chapter.id: chapter for chapter in report("table")[0]}
    for name, chapter in reading.CHAPTERS.items():
        page = name if name in PAGES else "explanations"
        assert set(chapter.limits) <= set(import_module(f"probe_dashboards.screens.{page}").LIMITS)
        assert shown[name].title == chapter.title
        assert all(limit in shown[name].hides for limit in chapter.limits)
        assert PAGES[page][0] == chapter.title


@pytest.mark.parametrize("name", ALL)
def test_what_was_not_measured_is_one_list_in_report_and_viewer(bundles, report, name):
    bundle = getattr(bundles, name)
    listed = {(visible(row.Check), visible(row.Why)) for row in summary.not_run(bundle).itertuples()}
    assert listed == {(visible(found.check), visible(found.note)) for found in reading.missing(bundle)}
    page = Page(report(name)[1]).text
    assert all(check in page and why in page for check, why in listed)
    assert robustness.reason(bundle, "bias").rstrip(".") in page or bias.present(bundle)


def test_verdict_and_caution_are_one_text_in_report_viewer_and_terminal(bundles, report, capsys):
    terminal.summary(bundles.table)
    printed, page = capsys.readouterr().out, Page(report("table")[1]).text
    for sentence in (*reading.verdict(bundles.table), reading.origin(bundles.table.manifest)):
        assert sentence in printed
        assert sentence in page
        assert sentence in [*summary.verdict(bundles.table), summary.origin(bundles.table)]


def test_methods_are_called_the_same_in_report_and_viewer(bundles, report):
    for kind, shown in (("explainer", explained.method_titles), ("attack", attacked.attack_titles)):
        called = list(shown(bundles.table).values())
        page = Page(report("table")[1]).text
        assert called
        assert all(title in page for title in called)
        assert set(called) <= {row.method for row in reading.measured(bundles.table, kind=kind)}


def test_what_each_step_took_is_one_text_in_report_and_viewer(bundles, report):
    shown = summary.steps(bundles.table)
    viewer = {tuple(map(str, row)) for row in shown[["Step", "Time", "Forward passes", "Backward passes"]].to_numpy()}
    found = reading.costs(bundles.table.manifest)
    told = {(each.step, *each.written) for each in (*found, reading.total(found))}
    assert viewer == told
    assert len(told) == len(bundles.table.manifest.steps) + 1
    assert {part for row in told for part in row} <= cells_of_report(report("table")[0])


@pytest.mark.parametrize("name", ["table", "image", "prose", "graph", "bare", "proofs", "hostile"])
def test_answers_and_labels_are_one_text_in_report_and_viewer(bundles, report, name):
    bundle = getattr(bundles, name)
    page = Page(report(name)[1]).text
    for row in instance.rows(bundle)[:4]:
        found = reading.answered(bundle, row)
        assert instance.answer(bundle, row)[::2] == (visible(found.answer), visible(found.label))
        assert f"the model answers {visible(found.answer)}" in page
    assert instance.classes(bundle) == [visible(label) for label in reading.classes(bundle)]


@pytest.mark.parametrize("name", ["table", "image", "prose", "graph"])
def test_an_input_that_is_kept_is_the_same_in_report_and_viewer(bundles, name):
    bundle = getattr(bundles, name)
    stored = bundle.arrays("instances")
    for at, row in enumerate(stored["rows"][:4]):
        found = reading.kept(bundle, int(row))
        assert (found.numbers == stored["inputs"][at]).all()
        assert instance.inputs(bundle, int(row)).tolist() == found.numbers.astype(float).tolist()
    assert reading.kept(bundle, -1) is None
