"""What a notebook shows: static, escaped, legible on light and on dark pages, in the notation of every other page."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import probe
from probe import fragments
from probe.errors import IntegrityError
from probe.explainers import InputXGradient
from probe.finding import Finding
from probe.plots.drawers import Drawer, Example


def test_a_table_writes_numbers_as_reports_do_and_escapes_names():
    frame = pd.DataFrame(
        {
            "share_right": [1 / 3, float("nan")],
            "<b>": ["<script>x</script>", None],
            "n": np.array([12_000, 3]),
            "large": [np.float32(2.5e-7), np.float32("inf")],
            "won": [True, False],
        }
    )
    page = fragments.table(frame, "What <i>was</i> found")
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page)
    assert cells[:5] == ["0.333", "&lt;script&gt;x&lt;/script&gt;", "12,000", "2.5e\N{MINUS SIGN}07", "yes"]
    assert cells[5:] == ["undefined", "\N{EN DASH}", "3", "\N{INFINITY}", "no"]
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', page)[:2] == ["share right", "&lt;b&gt;"]
    assert "What &lt;i&gt;was" in page


def test_a_table_that_is_cut_says_so():
    page = fragments.table(pd.DataFrame({"n": range(50)}))
    assert page.count("<tr>") == 21
    assert "The first 20 of 50 rows." in page


def test_findings_have_a_sign_and_a_word_beside_any_colour():
    frame = fragments.findings([Finding(aspect="bias", check="gap", status="fail", estimate=0.25, low=0.2, high=0.3)])
    assert frame.iloc[0].tolist()[:3] == ["✕ Fail", "gap", "25.0\u202f% [20.0 to 30.0\u202f%]"]


@pytest.mark.parametrize("kind", ["table", "hostile", "interrupted", "proofs"])
def test_an_audit_is_shown_with_its_verdict_and_every_finding(bundles, kind):
    bundle = getattr(bundles, kind)
    shown = probe.show(bundle.folder)
    page = shown._repr_html_()
    for forbidden in ("<script", "<style", "<img", "<a ", "\u202e", "javascript:alert(1)<"):
        assert forbidden not in page
    listed = [cell.split()[-1] for cell in re.findall(r"<td[^>]*>(. (?:Pass|Fail|Inconclusive|Error|Not run))<", page)]
    assert len(listed) == len(bundle.manifest.findings)
    assert bundle.manifest.digest in repr(shown)
    assert ("not complete" in page) == (kind == "interrupted")
    for colour in re.findall(r"(?<!border-bottom:1px solid )#[0-9a-f]{3,8}|rgb", page):
        assert colour in ("#39", "#x27"), f"{colour} is not legible on every page"


def test_an_audit_that_was_changed_is_not_shown(bundles):
    with pytest.raises(IntegrityError):
        probe.show(bundles.tampered.folder)


def test_names_of_the_data_stay_as_they_are_and_norms_are_written_as_such():
    frame = pd.DataFrame({"priors_count": [1.0], "linf": [0.5]})
    heads = r'<th scope="col"[^>]*>([^<]*)</th>'
    assert re.findall(heads, fragments.table(frame, own=False)) == ["priors_count", "linf"]
    assert re.findall(heads, fragments.table(frame)) == ["priors count", "L\N{INFINITY}"]
    model = probe.Model(forward=lambda x: x @ torch.eye(2), space=probe.Space(names=("a_b", "c")))
    page = InputXGradient()(model, torch.ones(1, 2))._repr_html_()
    assert re.findall(heads, page) == ["a_b", "c"]


def test_a_status_and_an_estimate_do_not_wrap_and_a_note_does():
    finding = Finding(aspect="bias", check="gap of rates", status="inconclusive", estimate=0.25, low=0.2, high=0.3)
    page = fragments.table(fragments.findings([replace(finding, note="between two groups of people: see the table")]))
    kept = re.findall(r'<td style="[^"]*white-space:nowrap">([^<]*)</td>', page)
    assert kept[:3] == ["? Inconclusive", "gap of rates", "25.0\u202f% [20.0 to 30.0\u202f%]"]
    assert not any("two groups" in cell for cell in kept)


def test_an_example_that_no_attack_changed_is_drawn_as_such():
    same = Example(np.zeros(2), ["a", "b"])
    ax = Drawer().attacked(same, same, np.zeros(2))
    assert [text.get_text() for text in ax.texts] == ["nothing changed"]


def test_sentences_at_the_side_of_a_wide_table_have_room_and_one_example_is_not_called_examples():
    page = fragments.table(pd.DataFrame({"note": ["a" * 30 + " " + "b" * 40, "c" * 30]}))
    long, short = re.findall(r'<td style="([^"]*)"', page)
    assert "min-width:18em" in long
    assert "min-width" not in short
    model = probe.Model(forward=torch.nn.Linear(2, 2).eval(), space=probe.Space())
    told = str(InputXGradient()(model, torch.ones(1, 2)))
    assert "Attribution of 1 example by" in told
    assert "cost: 1 example forward, 1 backward" in told
