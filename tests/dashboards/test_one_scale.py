"""Explanations of one example on one scale, with what they add up to and whether they agree; the example attacked."""

import numpy as np
import pytest
from probe_dashboards import figures
from probe_dashboards.views import attacked, explained, instance, quality, robustness
from probe_dashboards.views.flips import flips

from probe import plots
from tests.dashboards.test_pages import opened, text


@pytest.mark.parametrize("kind", ["image", "table", "prose", "graph"])
def test_the_values_of_all_methods_are_shares_of_their_own_size_and_share_the_largest_limit(bundles, kind):
    bundle = getattr(bundles, kind)
    row, drawer = instance.rows(bundle)[0], instance.drawer(bundle)
    drawn = [explained.drawn(bundle, row, method) for method in explained.methods(bundle)]
    for each, method in zip(drawn, explained.methods(bundle), strict=True):
        own = explained.by_feature(bundle, row, method)
        assert np.abs(each.by_feature).sum() == pytest.approx(1)
        np.testing.assert_allclose(each.by_feature, own / np.abs(own).sum())
    assert len({each.limit for each in drawn}) == 1
    assert drawn[0].limit == max(drawer.reach(instance.example(bundle, row), each) for each in drawn)


def test_in_its_own_unit_a_method_keeps_its_values_and_its_scale(bundles):
    row = instance.rows(bundles.table)[0]
    own = explained.drawn(bundles.table, row, "lime", explained.OWN)
    assert own.limit is None
    assert own.by_feature.tolist() == explained.by_feature(bundles.table, row, "lime").tolist()
    assert "one scale" in explained.legend(bundles.table, explained.SHARES)
    assert "scale of its own" in explained.legend(bundles.image, explained.OWN)


def test_a_shared_limit_is_the_end_of_every_axis(bundles):
    row = instance.rows(bundles.table)[0]
    axes = [figures._explained(bundles.table, str(row), method) for method in explained.methods(bundles.table)]
    assert axes[0].get_xlim() == axes[1].get_xlim()
    own = [figures._explained(bundles.table, str(row), method, "own") for method in explained.methods(bundles.table)]
    assert own[0].get_xlim() != own[1].get_xlim()


def test_a_series_is_coloured_up_to_the_limit_that_is_given():
    lines, values = np.zeros((1, 8)), np.linspace(-1, 1, 8)[None]
    shown = plots.drawer_of({"name": "series"})
    example = plots.Example(lines, ["a"])
    ax = shown.explained(example, plots.Values(values, values.ravel(), limit=4.0))
    assert ax.images[0].get_clim() == (-4.0, 4.0)
    assert shown.reach(example, plots.Values(values, values.ravel())) == 1.0


def test_the_bar_of_the_others_fits_the_scale():
    bars = plots.drawer_of({"name": "table"})
    values = plots.Values(np.ones(12), np.ones(12), top=[0, 1])
    assert bars.reach(plots.Example(np.ones(12), [str(at) for at in range(12)]), values) == 10.0


def test_the_sum_of_the_values_is_told_and_a_promise_only_where_one_was_measured(bundles):
    row = instance.rows(bundles.image)[0]
    total = explained.by_feature(bundles.image, row, "lime").sum()
    said = explained.sums(bundles.image, row, "lime")
    assert said.endswith("; no promise was measured")
    assert said.split(";")[0].replace("\N{MINUS SIGN}", "-") == f"{total:+.3g}"


def test_quality_is_told_for_the_example_and_on_average(bundles):
    row = instance.rows(bundles.image)[2]
    table = explained.here(bundles.image, row).set_index(["Method", "Measure"])
    each = next(s for s in quality.spreads(bundles.image, "deletion") if s.method == "lime")
    told = table.loc[("lime", "deletion"), "For this example"].replace("\N{MINUS SIGN}", "-")
    assert float(told) == pytest.approx(float(each.values[2]), abs=5e-4)
    assert "n = 8" in table.loc[("lime", "deletion"), "On average"]


def test_methods_share_all_top_features_with_themselves_and_some_with_others(bundles):
    row = instance.rows(bundles.image)[0]
    table = explained.overlap(bundles.image, row)
    tops = [
        set(np.argsort(-np.abs(explained.by_feature(bundles.image, row, m)), kind="stable")[: explained.TOP])
        for m in ("saliency", "lime")
    ]
    assert table["saliency"][0] == "5 of 5"
    assert table["lime"][0] == table["saliency"][1] == f"{len(tops[0] & tops[1])} of 5"


def test_an_attacked_example_has_its_answer_and_measured_norms_at_each_radius(bundles):
    stored = bundles.image.arrays("attack-pgd")
    at = int(stored["success"][1, :24].argmax())  # a row that moved
    row = int(stored["rows"][at])
    table = attacked.by_radius(bundles.image, row, "pgd")
    assert list(table["Radius"]) == list(attacked.radii(bundles.image, "pgd").values())
    moved = stored["moved"][1, at]
    assert float(table["L2"][1]) == pytest.approx(np.sqrt((moved**2).sum()), rel=5e-3)
    assert float(table["L\N{INFINITY}"][1]) == pytest.approx(np.abs(moved).max(), rel=5e-3)
    assert table["L0"][1] == "36"
    assert (table["Flipped"] == "yes").tolist() == stored["success"][:, at].astype(bool).tolist()
    late = int(stored["rows"][-1])
    assert set(attacked.by_radius(bundles.image, late, "pgd")["L2"]) == {"not kept"}


def test_the_budgets_of_the_examples_add_up_to_all_that_were_attacked(bundles):
    frame, found = robustness.breakdown(bundles.image), flips(bundles.image)
    assert frame["examples"].sum() == (found.state != "untried").sum() == 30
    assert frame["share"].sum() == pytest.approx(1)
    assert ((frame["low"] <= frame["share"]) & (frame["share"] <= frame["high"])).all()
    said = robustness.middle(bundles.image)
    right = np.isin(found.state, ("flipped", "withstood")).sum()
    assert f"of the {right} examples that were right" in said


@pytest.mark.slow
def test_attacks_that_were_not_run_are_named_with_the_reason(bundles):
    assert any(sentence.startswith("attacking by none: ") for sentence in robustness.not_tried(bundles.hostile))
    assert robustness.not_tried(bundles.image) == []
    assert "Attacks that were not run" in text(opened(bundles.hostile.folder.parent, "robustness"))
