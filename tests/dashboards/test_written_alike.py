"""Report, viewer and terminal write each number of a finding the same way."""

import json
import re

import pytest
from probe_dashboards.views import summary

from probe.cli import summary as terminal
from probe.formatting import DASH
from probe.report import render
from probe.report.sections import register
from probe.statuses import STATUSES
from tests.report.test_report import Page

NO_BREAK = "\N{NO-BREAK SPACE}"


def in_report(bundle):
    rows = [row for block in register.section(bundle).blocks for row in block.rows]
    return sorted((row["estimate"], row["interval"], row["threshold"], row["n"]) for row in rows)


def in_viewer(bundle):
    rows = [row for group in summary.groups(bundle) for row in group.findings.itertuples(index=False)]
    return sorted(_apart(*(str(cell).replace(NO_BREAK, " ") for cell in row[2:])) for row in rows)


def in_terminal(bundle):
    return sorted(_apart(*terminal._cells(finding)[2:]) for finding in bundle.manifest.findings)


def _apart(measured, threshold, n):
    value, _, ends = measured.partition(" [")
    return value, ends.rstrip("]").replace("no interval", ""), *(cell.replace(DASH, "") for cell in (threshold, n))


@pytest.mark.parametrize("name", ["table", "image", "prose", "graph", "bare", "interrupted"])
def test_the_numbers_of_every_finding_are_one_text_in_report_viewer_and_terminal(bundles, name):
    bundle = getattr(bundles, name)
    assert in_report(bundle) == in_viewer(bundle) == in_terminal(bundle)
    assert len(in_report(bundle)) == len(bundle.manifest.findings)


def test_what_is_printed_and_what_is_on_the_page_hold_the_same_numbers(bundles, capsys):
    terminal.summary(bundles.table)
    printed, page = capsys.readouterr().out, Page(render(bundles.table)).text
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


def test_every_status_has_one_look_everywhere(bundles):
    page = render(bundles.table)
    for status in {f.status for f in bundles.table.manifest.findings}:
        assert f'aria-hidden="true">{STATUSES[status].sign}</span>{status}' in page
        assert terminal.signed(status) == f"{STATUSES[status].sign} {status}"
        assert list(summary.counts(bundles.table)) == list(STATUSES)
