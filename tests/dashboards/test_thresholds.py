"""Groups compared at another threshold of the decision, from the stored scores."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from probe_dashboards import figures
from probe_dashboards.views import apart, decided
from probe_dashboards.views import bias as bias_view
from probe_dashboards.views.examples import ANY

from probe import bias, statistics
from probe.audit import Bundle, reading
from probe.errors import RangeError
from tests.dashboards.test_pages import opened, text
from tests.dashboards.test_rows import led


@pytest.mark.parametrize("attribute", ["sex", "race", "sex x race"])
def test_at_the_audited_threshold_rates_gaps_and_intervals_are_those_of_the_audit_to_the_bit(bundles, attribute):
    known = reading.cut(bundles.table, attribute)
    assert known == reading.Cut(0.5, ">50K")
    found = reading.recut(bundles.table, attribute, known.audited)
    for name, table in (("bias_groups", found.groups), ("bias_disparities", found.disparities)):
        stored = bundles.table.table(name)
        own = stored[stored["attribute"] == attribute]
        assert table.to_csv(index=False) == own.to_csv(index=False)
    for rate in reading.compared_by(bundles.table):
        assert repr(found.rates(rate)) == repr(reading.rates(bundles.table, attribute, rate))
    assert found.gaps == reading.gaps(bundles.table, attribute)


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_at_another_threshold_they_are_those_of_an_audit_of_the_answers_it_gives(bundles, threshold):
    stored, task = bundles.table.arrays("predictions"), bundles.table.manifest.task
    sure = task.probabilities(stored["logits"])[:, 1]
    decided = (sure >= threshold).astype(int)
    again = bias.audit(stored["labels"], decided, bundles.table.groups()[["race"]], sure)
    found = reading.recut(bundles.table, "race", threshold)
    assert found.groups["tpr"].tolist() == again.groups["tpr"].tolist()
    assert found.disparities["estimate"].tolist() == again.disparities["estimate"].tolist()
    assert found.disparities["low"].tolist() == again.disparities["low"].tolist()
    assert (
        found.groups["selection_rate"].tolist()
        != reading.recut(bundles.table, "race", 0.5).groups["selection_rate"].tolist()
    )


def test_a_threshold_of_the_model_is_the_audited_one(bundles):
    manifest = bundles.table.manifest
    model = replace(manifest.model, task={**manifest.model.task, "threshold": 0.3})
    moved = replace(bundles.table, manifest=replace(manifest, model=model))
    assert reading.cut(moved, "sex") == reading.Cut(0.3, ">50K")
    again = reading.recut(bundles.table, "sex", 0.3)
    assert reading.recut(moved, "sex", 0.3).rates("tpr") == again.rates("tpr")


class Rounded(Bundle):
    """The same audit of a model whose probabilities are whole percentages, as those of a forest of a hundred trees."""

    def arrays(self, name):
        stored = super().arrays(name)
        if name == "predictions":
            sure = self.manifest.task.probabilities(stored["logits"])[:, 1].round(2).clip(0.01, 0.99)
            stored["logits"] = np.log(np.stack([1 - sure, sure], 1)).astype(np.float32)
        return stored


@pytest.mark.slow
def test_a_threshold_decides_alike_for_rates_groups_and_rows_and_keeps_the_ties_that_rounding_would_turn(bundles):
    bundle = Rounded(bundles.table.folder, bundles.table.manifest)
    whole = bundles.table.manifest.task.probabilities(bundles.table.arrays("predictions")["logits"])[:, 1].round(2)
    left = bundle.manifest.task.probabilities(bundle.arrays("predictions")["logits"])[:, 1]
    turned = [cut for cut in np.unique(whole) if 0.01 < cut < 0.99 and (left >= cut).sum() < (whole >= cut).sum()]
    assert turned
    for cut in map(float, turned[:3]):
        expected = int((whole >= cut).sum())
        row = reading.threshold_rates(bundle, cuts=(cut,)).iloc[0]
        assert row["tp"] + row["fp"] == expected
        groups = reading.recut(bundle, "sex", cut).groups
        assert groups["tp"].sum() + groups["fp"].sum() == expected
        led(bundle, decided.threshold(bundle, "run", ANY, cut))


def test_a_model_of_three_classes_has_no_threshold_to_move(bundles):
    assert reading.cut(bundles.image, "sex") is None
    with pytest.raises(RangeError, match="two classes"):
        reading.recut(bundles.image, "sex", 0.3)
    with pytest.raises(RangeError, match="two classes"):
        reading.recut(bundles.table, "height", 0.3)


def test_the_slider_moves_rates_and_gaps_and_keeps_the_audited_ones_beside_them(bundles):
    before, after = (bias_view.disparities(bundles.table, "sex", at) for at in ("", "0.9"))
    assert "As audited" not in before
    assert list(after["As audited"]) == list(before["Estimate [95 % interval]"])
    assert list(after["Estimate [95 % interval]"]) != list(before["Estimate [95 % interval]"])
    same = bias_view.disparities(bundles.table, "sex", "0.5")
    assert same.equals(before)


@pytest.mark.slow
def test_a_threshold_in_the_address_is_shown_and_said_to_be_no_finding(bundles):
    app = opened(bundles.table.folder.parent, "bias", by="sex", rate="tpr", threshold="0.9")
    assert app.select_slider(key="threshold").value == "0.9"
    said = text(app)
    assert "What if" in said
    assert "at a threshold of 0.9" in said
    assert "reading.recut(bundle, 'sex', 0.9).rates('tpr')" in said
    app = opened(bundles.table.folder.parent, "bias", by="sex", threshold="2")
    assert any("This link asks for threshold" in warning.value for warning in app.warning)


def test_a_small_group_is_told_in_words_what_it_is_too_small_for(bundles):
    told = bias_view.too_small(bundles.table, "race")
    (other,) = (sentence for sentence in told if sentence.startswith("Other is too small for: "))
    assert "Selection rate (5 rows), True positive rate (" in other
    assert not any("Selection rate" in sentence for sentence in told if sentence != other)


def test_the_curve_of_each_group_is_that_of_its_rows_alone_and_small_groups_are_not_drawn(bundles):
    stored, people = bundles.table.arrays("predictions"), bundles.table.groups()
    found = reading.roc_by(bundles.table, "sex x race")
    sizes = {str(row["group"]): row["n"] for row in reading.groups(bundles.table, "sex x race")}
    assert list(found) == sorted(found, key=lambda name: -sizes[name])
    areas = {str(row["group"]): row["auc"] for row in reading.groups(bundles.table, "sex x race")}
    for name, curve in found.items():
        rows = (people["sex"] + " & " + people["race"] == name).to_numpy()
        logits, labels = stored["logits"][rows], stored["labels"][rows]
        scores = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(statistics.area_under_roc(scores, labels == 1))
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(areas[name])
    drawn = bias_view.separated(bundles.table, "race")
    assert "Other" not in drawn
    assert set(drawn) == {"White", "Black"}
    assert figures.FIGURES["roc_by"](bundles.table, "race").get_legend_handles_labels()[1] == list(drawn)
    assert set(bias_view.separated_panel(bundles.table, "race").numbers["group"]) == set(drawn)
    assert not reading.roc_by(bundles.image, "sex")


def test_one_threshold_for_each_group_is_that_of_its_rows_alone_and_groups_without_one_keep_the_audited(bundles):
    stored, people = bundles.table.arrays("predictions"), bundles.table.groups()
    sure = bundles.table.manifest.task.probabilities(stored["logits"])[:, 1]
    own = people["sex"].map({"Female": 0.2, "Male": 0.9}).to_numpy()
    again = bias.audit(stored["labels"], (sure >= own).astype(int), people[["sex"]], sure)
    found = reading.recut(bundles.table, "sex", {"Female": 0.2, "Male": 0.9})
    for name in ("tn", "fp", "fn", "tp", "tpr", "tpr_low"):
        assert found.groups[name].tolist() == again.groups[name].tolist()
    assert found.disparities["low"].tolist() == again.disparities["low"].tolist()
    one, audited = (reading.recut(bundles.table, "sex", at).rates("tpr") for at in ({"Male": 0.9}, 0.5))
    assert one == [audited[0], found.rates("tpr")[1]]
    assert (
        reading.recut(bundles.table, "sex", {"Male": 0.9, "Female": 0.9}).rows
        == reading.recut(bundles.table, "sex", 0.9).rows
    )
    with pytest.raises(RangeError, match="did you mean 'Male'"):
        reading.recut(bundles.table, "sex", {"Mail": 0.9})
    before, after = (decided_at == stored["labels"] for decided_at in ((sure >= 0.5), (sure >= own)))
    price = reading.price(bundles.table, "sex", {"Female": 0.2, "Male": 0.9})
    assert price.difference == statistics.paired_shares(after, before)
    assert sum(price.changed.values()) == ((sure >= own) != (sure >= 0.5)).sum()


@pytest.mark.parametrize("rate", ["tpr", "selection_rate", "ppv"])
def test_no_two_thresholds_bring_a_rate_as_near_and_cost_less(bundles, rate):
    stored, people = bundles.table.arrays("predictions"), bundles.table.groups()
    sure = bundles.table.manifest.task.probabilities(stored["logits"])[:, 1]
    true, cuts = stored["labels"] == 1, [at / 100 for at in range(1, 100)]
    rows = [(people["sex"] == name).to_numpy() for name in ("Female", "Male")]
    of = {"tpr": lambda yes, own: yes[own & true].mean(), "selection_rate": lambda yes, own: yes[own].mean()}
    of["ppv"] = lambda yes, own: true[own & yes].mean() if (own & yes).any() else np.nan
    rates = [[of[rate](sure >= at, own) for at in cuts] for own in rows]
    right = [[((sure >= at) == true)[own].sum() for at in cuts] for own in rows]
    found = reading.equalised(bundles.table, "sex", rate)
    near = [
        right[0][a] + right[1][b]
        for a, b in product(range(99), repeat=2)
        if abs(rates[0][a] - rates[1][b]) <= max(found.within, found.gap) + 1e-12
    ]
    chosen = [cuts.index(found.thresholds[name]) for name in ("Female", "Male")]
    assert found.gap == pytest.approx(abs(rates[0][chosen[0]] - rates[1][chosen[1]]))
    assert found.gap <= found.within
    assert sum(each[at] for each, at in zip(right, chosen, strict=True)) == max(near)


def test_groups_too_small_for_a_rate_keep_their_threshold_and_a_rate_is_named(bundles):
    found = reading.equalised(bundles.table, "race", "selection_rate")
    assert found.small == ("Other",)
    assert set(found.thresholds) == {"White", "Black"}
    assert "Too small, so as audited: Other." in apart.equal(bundles.table, "race", "selection_rate")[1]
    with pytest.raises(RangeError, match="did you mean 'tpr'"):
        reading.equalised(bundles.table, "sex", "tpm")


@pytest.mark.slow
def test_sliders_of_the_groups_lie_in_the_address_and_bring_a_rate_together(bundles, arguments):
    arguments(bundles.table.folder.parent)
    app = opened(bundles.table.folder.parent, "bias", by="sex", rate="tpr", cuts="each", **{"at-sex-male": "0.9"})
    assert (app.select_slider(key="at-sex-male").value, app.select_slider(key="at-sex-female").value) == ("0.9", "0.5")
    said = text(app)
    assert "at a threshold for each group" in said
    assert "reading.recut(bundle, 'sex', {'Male': 0.9}).rates('tpr')" in said
    next(each for each in app.button if each.label.startswith("Bring together")).click().run()
    found = reading.equalised(bundles.table, "sex", "tpr").thresholds
    assert app.query_params["at-sex-male"] == f"{found['Male']:g}"
    assert app.select_slider(key="at-sex-female").value == f"{found['Female']:g}"
    next(each for each in app.button if each.label.startswith("Back to")).click().run()
    assert "at-sex-male" not in app.query_params
    assert "What if" not in text(app)
