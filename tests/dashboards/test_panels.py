"""What stands behind the panels of the pages: numbers, links, commands and Python that work when followed."""

import io
import shlex
from functools import cache
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from probe_dashboards.views import panels, quality
from typer.main import get_command

from probe.audit import reading
from probe.audit.readings import evidence
from probe.cli.app import app
from tests.dashboards.test_pages import opened, text

PANELLED = [
    ("summary", "table"),
    ("instance", "image"),
    ("instance", "hostile"),
    ("instance", "prose"),
    ("explanations", "image"),
    ("bias", "hostile"),
    ("robustness", "table"),
    ("certificates", "proofs"),
    ("surveys", "proofs"),
]


@pytest.fixture(scope="session")
def page(bundles):
    """A page of a kind of bundle, run once."""
    return cache(lambda name, kind: opened(getattr(bundles, kind).folder.parent, name))


@pytest.mark.parametrize(("name", "kind"), PANELLED)
def test_the_python_behind_each_panel_runs(page, name, kind):
    code = [block.value for block in page(name, kind).code if block.language == "python"]
    assert code
    for block in code:
        exec(block, {})


@pytest.mark.parametrize(("name", "kind"), PANELLED)
def test_the_command_behind_each_panel_is_one_that_probe_takes(page, name, kind):
    import_module("probe.cli.commands")
    commands = get_command(app)
    lines = [line for b in page(name, kind).code if b.language == "bash" for line in b.value.splitlines()]
    assert lines
    for line in lines:
        program, command, *arguments = shlex.split(line)
        assert program == "probe"
        commands.get_command(None, command).make_context(command, arguments)


@pytest.mark.parametrize(("name", "kind"), PANELLED)
def test_each_panel_has_a_link_with_what_is_chosen_and_says_what_it_does_not_show(page, name, kind):
    shown = page(name, kind)
    links = [block.value for block in shown.code if "#" in block.value and "\n" not in block.value]
    said = text(shown)
    assert said.count("Not shown here:") == len(links) > 0
    for link in links:
        place = link.rsplit("#", 1)[1]
        assert "run=demo" in link
        assert any(header.proto.anchor == place for header in shown.header), place


def test_numbers_as_csv_are_those_of_the_panel_and_no_formula(bundles):
    behind = quality.panel(bundles.image, "deletion")
    read = pd.read_csv(io.StringIO(panels.csv(behind)))
    pd.testing.assert_frame_equal(read, behind.numbers, check_exact=True)
    odd = panels.Panel("x", "X", pd.DataFrame({"=cmd()": ["=1+1"]}), "", "")
    assert "\n'=1+1" in panels.csv(odd)


def test_a_metric_on_each_row_is_its_reduction_of_that_row_alone(bundles):
    found = {each.method: each for each in quality.spreads(bundles.image, "deletion")}
    step = next(s for s in bundles.image.manifest.steps if s.name == "explain-lime")
    seen = evidence(bundles.image.arrays(step.name), next(r for r in step.readings if r.metric == "deletion"))
    assert found["lime"].values.tolist() == (seen[:, 1] - seen[:, 0]).tolist()
    assert found["lime"].over.value == pytest.approx(found["lime"].values.mean())
    assert found["lime"].higher


def test_the_worst_rows_of_a_method_come_first_and_open_the_example(bundles, page):
    found = quality.worst(bundles.image, "deletion", "lime")
    each = next(s for s in quality.spreads(bundles.image, "deletion") if s.method == "lime")
    order = np.argsort(each.values, kind="stable")[: quality.WORST]
    assert list(found) == [str(row) for row in each.rows[order]]


def test_a_measure_of_which_less_is_better_has_its_largest_rows_as_the_worst():
    over = reading.Measurement(
        aspect="explanation", step="", method="", metric="", title="", eps=None, item="", at="", unit="number",
        value=1.0, low=0.0, high=2.0, n=3, status="", note="",
    )  # fmt: skip
    each = quality.Spread("m", "M", over, np.arange(3), np.array([1.0, 3.0, np.nan]), higher=False)
    assert each.worst.tolist() == [1, 0]


def test_a_method_that_beats_random_orders_is_listed_first(bundles):
    table = quality.believed(bundles.image)
    assert list(table["Method"]) == ["lime", "saliency"]
    assert table["Can it be believed?"][0].startswith("Yes, as far as deletion and insertion")
    assert table["Can it be believed?"][1].startswith("Not by any check")
    said = quality.summary(bundles.image)
    assert said.startswith(
        "lime passes every check made of it; saliency does not. The best: lime by deletion and lime by"
    )


def test_methods_that_nothing_checked_are_not_said_to_have_failed(bundles, monkeypatch):
    monkeypatch.setattr(quality.reading, "measured", lambda *_, **__: [])
    assert quality.summary(bundles.image).startswith("Nothing checked whether")
