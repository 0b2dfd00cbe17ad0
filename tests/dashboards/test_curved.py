"""The output as features are removed or added: kept in the bundle, drawn for all rows and for one."""

import numpy as np
import pytest
from probe_dashboards import figures
from probe_dashboards.views import curved

from probe.audit import reading
from tests.dashboards.test_pages import show

__all__ = ["show"]


def test_curves_are_the_mean_over_the_rows_or_those_of_one(bundles):
    bundle = bundles.table
    assert reading.curved(bundle) == {"deletion": "removed", "insertion": "added"}
    kept = bundle.arrays("explain-lime")
    found = reading.curves(bundle, "deletion")["lime"]
    assert np.allclose(found.to_numpy().T, kept["curves-deletion"].mean(0))
    row = int(kept["rows"][1])
    own = reading.curves(bundle, "insertion", row)["lime"]
    assert np.array_equal(own.to_numpy().T, kept["curves-insertion"][1])
    areas = [np.trapezoid(own[name], own["share"]) for name in ("own", "random")]
    assert areas == pytest.approx(kept["measured-insertion"][1])
    assert reading.curves(bundle, "deletion", -1) == {}


def test_random_orders_that_all_methods_share_are_drawn_once(bundles):
    ax = figures.FIGURES["moved"](bundles.table, "deletion")
    names = [line.get_label() for line in ax.get_lines()]
    assert sorted(names) == sorted({*names}), "no line stands there twice"
    assert {"saliency", "lime", "random order"} <= {*names}
    assert ax.get_xlabel() == "share of features removed"


def test_a_row_and_all_rows_have_their_curves_with_the_numbers_behind_them(show, bundles):
    row = int(bundles.table.arrays("instances")["rows"][0])
    pages = {"explanations": ("", None), "instance": (f" in example {row}", row)}
    for name, (said, one) in pages.items():
        page = show(bundles.table.folder.parent, name, row=str(row), curve="insertion")
        assert "As features are removed or added" in [each.value for each in page.header], name
        assert said in curved.said(bundles.table, "insertion", one)
        assert [
            each
            for each in page.code
            if f"reading.curves(bundle, 'insertion'{f', {row}' if one else ''})" in each.value
        ]
