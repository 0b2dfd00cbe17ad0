"""The charts that can be zoomed: the numbers of the static figures, and text of a bundle only where it is shown."""

import json

import numpy as np
import pytest
from probe_dashboards import charts, figures
from probe_dashboards.views import bias, curved, decided, explained, instance, performance, proofs, robustness, together

from probe.audit import reading
from tests.dashboards.test_pages import show
from tests.test_regression import audited

__all__ = ["audited", "show"]

SHOWN = {"values", "domain", "title", "alt"}  # the places of a chart that are shown as text


def every(bundle):
    """Each chart of a bundle that its pages draw, by name and parameters."""
    if robustness.obstacle(bundle) == "":
        yield from (("curves", by) for by in robustness.choices(bundle))
        yield ("breakdown",)
    for by in bias.attributes(bundle) if bias.present(bundle) else ():
        yield from (("forest", by, rate) for rate in bias.titles(bundle))
        yield from [("roc_by", by)] if bias.separated(bundle, by) else []
    if performance.present(bundle):
        one = "any"
        yield ("reliability",)
        yield from (("roc", "", name) for name in decided.reading.decided(bundle, "").names)
        if decided.own(bundle, one) is not None:
            yield ("thresholds", one)
    if reading.steps(bundle.manifest, "explainer") and together.shown(bundle):
        yield from (("beeswarm", method) for method in explained.method_titles(bundle))
        rows = [row for row in instance.rows(bundle)[:2] for method in together.promising(bundle, row)]
        yield from (("waterfall", str(row), method) for row in rows for method in together.promising(bundle, row))
    for metric in curved.metrics(bundle):
        yield from (("moved", metric, *row) for row in ((), (str(bundle.arrays("instances")["rows"][0]),)))
    yield from (("spread", metric) for metric in charts.quality.metrics(bundle))
    yield from (("certified", axis) for axis in proofs.certificates(bundle))
    for slug, found in proofs.surveys(bundle).items():
        yield "survey", slug
        yield from (("calibrated", slug, item) for item in found.diagrams)


def points(chart, kind):
    """The data of the layer of a kind of mark."""
    return next(layer["data"]["values"] for layer in chart["layer"] if layer["mark"]["type"] == kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "image", "proofs", "hostile"])
def test_every_chart_is_json_with_one_zoom_and_its_figure_is_drawn_too(bundles, kind):
    bundle = getattr(bundles, kind)
    for name, *keys in every(bundle):
        chart = charts.chart(name, bundle, *keys)
        assert name in figures.FIGURES
        text = json.dumps(chart, allow_nan=False)
        assert text.count('"bind": "scales"') == 1, name
        assert chart["usermeta"]["embedOptions"]["actions"] is False
        assert any(layer["data"]["values"] for layer in chart["layer"]), name
        assert all(layer["mark"]["aria"] is False for layer in chart["layer"]), "a mark has no words of its own"


def test_a_survey_of_the_values_of_a_feature_is_a_curve_in_their_order_and_one_of_features_is_not(bundles):
    found = proofs.surveys(bundles.proofs)
    assert found["course"].places == (60.0, -2.5, 20.0, 1000.0)
    assert not found["importance"].places
    chart = charts.chart("survey", bundles.proofs, "course")
    drawn = points(chart, "line")
    assert [each["x"] for each in drawn] == list(found["course"].places)
    assert [each["y"] for each in drawn] == [row.value for row in found["course"].rows]
    axes = figures.FIGURES["survey"](bundles.proofs, "course")
    assert axes.get_lines()[0].get_xdata().tolist() == list(found["course"].places)
    assert [row.value for row in found["importance"].rows] == sorted(
        (row.value for row in found["importance"].rows), reverse=True
    )


def test_a_chart_has_the_numbers_of_its_table(bundles):
    numbers = robustness.table(bundles.table, "attack")
    drawn = points(charts.chart("curves", bundles.table, "attack"), "point")
    assert [(each["series"], each["x"], each["y"], each["low"], each["high"]) for each in drawn] == [
        tuple(line) for line in numbers[["attack", "eps", "robust_accuracy", "low", "high"]].itertuples(index=False)
    ]
    groups = bias.rates(bundles.table, "sex-x-race", "tpr")
    drawn = points(charts.chart("forest", bundles.table, "sex-x-race", "tpr"), "rule")
    assert [each["few"] for each in drawn] == list(groups["small"]), "small groups are drawn apart"
    assert np.array_equal([each["low"] for each in drawn], groups["low"])


def test_text_of_a_bundle_is_only_a_value_of_a_chart(bundles):
    """Expressions, fields, formats, links and images of a chart are constants."""
    found = [(name, charts.chart(name, bundles.hostile, *keys)) for name, *keys in every(bundles.hostile)]
    texts = ("script", "evil.example", "frac{1}{0}", "trust me", "drowssap", "xxxxx")

    def walk(name, part, key=""):
        if isinstance(part, dict):
            assert not {"href", "url", "signal", "expr", "image"} & part.keys() or key == "values", (name, key)
            for inner, value in part.items():
                assert not any(text in inner for text in texts), (name, inner)
                walk(name, value, inner if key not in SHOWN else key)
        elif isinstance(part, list):
            for value in part:
                walk(name, value, key)
        elif isinstance(part, str) and key not in SHOWN:
            assert not any(text in part for text in texts), (name, key, part)

    for name, chart in found:
        walk(name, chart)
    shown = json.dumps([chart for _, chart in found], ensure_ascii=False)
    for text in ("frac{1}{0}", "drowssap"):
        assert text in shown, "the hostile names are there, as values"


def test_a_chart_names_every_curve_apart_by_colour_line_and_shape(bundles):
    chart = charts.chart("curves", bundles.table, "attack")
    line, point = (next(each for each in chart["layer"] if each["mark"]["type"] == kind) for kind in ("line", "point"))
    for encoding in (line["encoding"]["color"], line["encoding"]["strokeDash"], point["encoding"]["shape"]):
        used = [json.dumps(each) for each in encoding["scale"]["range"]]
        assert len(set(used)) == len(used) == len(robustness.drawn(bundles.table, "attack"))


def test_a_chart_of_very_many_points_is_left_to_the_static_figure(bundles, monkeypatch):
    metric = next(iter(charts.quality.metrics(bundles.table)))
    assert charts.chart("spread", bundles.table, metric) is not None
    monkeypatch.setattr(charts, "MOST", 3)
    assert charts.chart("spread", bundles.table, metric) is None


def test_a_chart_of_errors_counts_every_row(audited):
    bundle = audited[1]
    drawn = points(charts.chart("errors", bundle, "any"), "bar")
    assert sum(each["y"] for each in drawn) == len(charts.reading.errors(bundle, ""))
    assert len(points(charts.chart("predicted", bundle, "any"), "point")) == len(charts.reading.errors(bundle, ""))


def test_the_steps_of_a_row_lead_from_one_output_to_the_other_and_all_rows_have_a_dot_for_each_feature(
    bundles, monkeypatch
):
    bundle, method, start = bundles.table, "lime", 0.25
    row = int(instance.rows(bundle)[0])
    monkeypatch.setattr(together, "ends", lambda *_: (start, start + values.sum()))
    values = explained.by_feature(bundle, row, method)
    chart = charts.chart("waterfall", bundle, str(row), method)
    bars = points(chart, "bar")
    assert np.allclose([each["end"] - each["x"] for each in bars[::-1]], values[explained.order(bundle, row)][::-1])
    assert [bars[-1]["x"], bars[0]["end"]] == pytest.approx([start, start + values.sum()])
    assert [each["end"] for each in bars[1:]] == pytest.approx([each["x"] for each in bars[:-1]])
    dots = points(charts.chart("beeswarm", bundle, method), "point")
    found = together.swarm(bundle, method).values
    assert sorted(each["x"] for each in dots) == pytest.approx(sorted(found.ravel()))
    assert {each["row"] for each in dots} == {str(row) for row in instance.rows(bundle)}


def test_a_figure_is_static_until_somebody_asks_for_its_chart_and_all_of_its_name_zoom_from_then_on(show, bundles):
    page = show(bundles.table.folder.parent, "bias")
    assert drawn(page) == (0, 2), "the rates and the ROC curves"
    first, second = zooms(page)
    first.click().run()
    assert drawn(page) == (1, 2), "the static one is for print"
    page.query_params["rate"] = "fpr"
    page.run()
    assert drawn(page) == (1, 2), "another rate is the same figure"
    back = next(each for each in page.button if each.label == "Static figure")
    back.click().run()
    assert drawn(page) == (0, 2)
    assert [each.label for each in zooms(page)] == [first.label, second.label]


def test_a_figure_that_cannot_be_zoomed_has_no_button(show, bundles):
    page = show(bundles.image.folder.parent, "instance")
    assert drawn(page)[1] > 1
    assert len(zooms(page)) == 1, "the curves alone, and no map of an image"


def drawn(page):
    """How many charts and how many static figures a page has."""
    return len(page.get("vega_lite_chart")), len(page.get("image"))


def zooms(page):
    return [each for each in page.button if each.label == "Zoom this figure"]


def test_the_curves_of_all_methods_share_a_chart_with_those_of_random_orders(bundles):
    found = reading.curves(bundles.table, "deletion")
    chart = charts.chart("moved", bundles.table, "deletion")
    own, random, _ = (layer["data"]["values"] for layer in chart["layer"])
    for name, each in found.items():
        drawn = [(point["x"], point["y"]) for point in own if point["series"] == name]
        assert drawn == list(zip(each["share"], each["own"], strict=True))
    distinct = {np.round(each["random"].to_numpy(), 9).tobytes() for each in found.values()}
    assert len({point["series"] for point in random}) == len(distinct), "one that methods share is drawn once"
    assert {point["y"] for point in random} <= {value for each in found.values() for value in each["random"]}
    one = charts.chart("moved", bundles.table, "deletion", str(bundles.table.arrays("instances")["rows"][0]))
    assert one["layer"][0]["data"]["values"] != own
