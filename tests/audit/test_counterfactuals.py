"""Counterfactuals of an audit: what is kept, read, drawn and shown of them, and what a forger cannot change."""

import shutil
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import probe_dashboards
import pytest
import torch
from probe_dashboards import figures
from probe_dashboards.views import counterfactuals as views
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from probe.audit import plan_from, read, reading, run, verify
from probe.audit.consistency.arrays import check_arrays
from probe.counterfactuals import NearestReference
from probe.errors import IntegrityError
from probe.report import render
from tests.audit.conftest import images, table, texts
from tests.audit.forging import Forged
from tests.dashboards.test_pages import tables

PLAN = {
    "explain": {"sample": 0},
    "attack": {"sample": 0},
    "bias": {"groups": []},
    "search": {"sample": 12, "methods": [{"method": "nearest_reference", "count": 2}]},
}


def with_references(made):
    """The model and data, with some of the rows as its references."""
    model, data = made
    space = replace(data.space, reference=data.inputs[:20])
    return replace(model, space=space), replace(data, space=space)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    made = {"people": table(60), "pictures": images(), "texts": texts()}
    return {
        name: run(plan_from({"name": name, **PLAN}, sources=False), *with_references(each), root / name / name)
        for name, each in made.items()
    }


@pytest.mark.slow
def test_counterfactuals_read_from_a_bundle_are_those_of_the_method(bundles):
    model, data = with_references(table(60))
    (found,) = reading.searches(bundles["people"])
    assert (found.n, found.each, len(found.candidates)) == (12, 2, 12)
    assert {row.metric for row in found.rows} == {"validity", "changed_features"}
    for row in found.candidates:
        alone = NearestReference(count=2)(model, data.inputs[row.row][None])
        frame = alone.to_frame().iloc[0]
        assert (row.before, row.after, row.reached) == (frame["given"], frame["answer"], frame["reached"])
        assert (row.changed, row.distance) == (frame["changed"], pytest.approx(frame["l1"], rel=1e-6))
        assert row.reached
        changes = reading.moves(bundles["people"].manifest.data.features, row.change)
        assert len(changes) == row.changed  # categories too, whose coordinates cancel
        assert sum(abs(far) for *_, far in changes) == pytest.approx(row.distance, rel=1e-5)
        assert all(old != new for _, old, new, _ in changes)
        assert alone.told(0).startswith(f"{row.before} → {row.after} by {changes[0][0]}: {changes[0][1]}")


@pytest.mark.slow
def test_report_and_viewer_show_what_changes_as_the_form_is_drawn(bundles):
    for name, bundle in bundles.items():
        page = unescape(render(bundle)).partition('<section id="counterfactuals"')[2].partition("</section>")[0]
        (slug, found), *_ = views.searches(bundle).items()
        row = next(each for each in found.candidates if each.reached)
        assert found.caption in page
        assert len(views.listed(found)) == 12
        if name == "people":
            told = views.changes(bundle, row).iloc[0]
            assert all(f">{told[head]}<" in page for head in ("Feature", "Is", "Would be", "Distance"))
        elif name == "texts":
            assert page.count("<h4>") == 4
            assert "<del" in page
        else:
            assert page.count("<svg") == 4
            assert f"{row.before} becomes {row.after}" in page
        assert "<svg" in figures.svg("counterfactual", bundle, slug, str(row.row))


@pytest.mark.slow
def test_the_page_shows_the_row_that_its_address_names(bundles, monkeypatch):
    bundle = bundles["people"]
    monkeypatch.setattr(sys, "argv", ["app.py", str(bundle.folder.parent)])
    (found,) = reading.searches(bundle)
    row = [each for each in found.candidates if each.reached][1]
    app = AppTest.from_file(str(Path(probe_dashboards.__file__).with_name("app.py")), default_timeout=30)
    app.query_params["row"] = str(row.row)
    app._page_hash = calc_hash("counterfactuals")
    app.run()
    assert not app.exception
    assert len(tables(app)) == 3
    assert app.selectbox(key="row").value == str(row.row)


def test_a_candidate_changed_after_the_audit_fails_verification(bundles, tmp_path):
    bundle = bundles["people"]
    verify(bundle.folder)
    (step,) = reading.steps(bundle.manifest, "counterfactual")
    for part, change, said in (
        ("distance", lambda a: a * 0, "a distance is not that of what changed"),
        ("moved", lambda a: a * 2, "its moves do not add up to distances"),
        ("distance", lambda a: a.astype(np.int64), "an array is int64"),
    ):
        shutil.copytree(bundle.folder, tmp_path / "forged", dirs_exist_ok=True)
        forged = Forged(tmp_path / "forged")
        arrays = dict(forged.arrays(step.name))
        forged.write_arrays(step.name, arrays | {part: change(arrays[part])})
        forged.save()
        with pytest.raises(IntegrityError, match=said):
            check_arrays(read(tmp_path / "forged"))


def test_a_bundle_without_inputs_lists_its_counterfactuals_and_shows_none(tmp_path):
    plan = plan_from({"name": "kept", **PLAN, "bundle": {"inputs": "none"}}, sources=False)
    bundle = run(plan, *with_references(table(60)), tmp_path / "kept")
    (found,) = reading.searches(read(bundle.folder))
    assert all(row.change is None for row in found.candidates)
    assert views.titles(found) == {}
    assert "would be" not in render(bundle).partition('<section id="counterfactuals"')[2].partition("</section>")[0]


def test_a_missing_value_is_one_unit_away():
    space = replace(
        table(3)[0].space, reference=torch.tensor([[0.5, torch.nan, 1, 0, 0]]), missing=(False, True, False)
    )
    model = replace(table(3)[0], space=space, forward=lambda x: torch.stack([x[:, 0] * 0, x[:, 0] - 0.4], 1))
    found = NearestReference()(model, torch.tensor([[0.25, 2.0, 1, 0, 0]]))
    assert (found.changed().item(), found.distance().item()) == (2, 1.25)
    assert found.moves()[0, 0].tolist() == [0.25, 1.0, 0.0]
    assert "hours: 2 → missing" in found.told(0)
