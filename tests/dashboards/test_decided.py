"""What report and viewer say of decisions and errors, against scikit-learn."""

import numpy as np
import pytest
from probe_dashboards.views import decided
from probe_dashboards.views.examples import ANY
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from probe.audit import read, reading
from probe.errors import RangeError
from probe.statistics import wilson


def answers(bundle):
    stored = bundle.arrays("predictions")
    return stored["labels"], stored["logits"].argmax(1), stored["logits"]


@pytest.mark.parametrize("kind", ["image", "table"])
def test_a_confusion_counts_rows_by_label_and_answer(bundles, kind):
    bundle = getattr(bundles, kind)
    labels, chosen, _ = answers(bundle)
    found = reading.confusion(bundle)
    assert found.to_numpy().tolist() == confusion_matrix(labels, chosen).tolist()
    assert list(found.index) == list(found.columns) == list(bundle.manifest.model.classes)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_precision_and_recall_of_each_class_are_scikit_learns_with_wilsons_intervals(bundles, kind):
    bundle = getattr(bundles, kind)
    labels, chosen, _ = answers(bundle)
    precision, recall, _, support = precision_recall_fscore_support(labels, chosen)
    found = reading.by_class(bundle)
    assert found["precision"].tolist() == pytest.approx(precision)
    assert found["recall"].tolist() == pytest.approx(recall)
    assert found["true"].tolist() == support.tolist()
    low, high = wilson(found["right"], found["true"])
    assert found["recall_low"].tolist() == pytest.approx(low)
    assert found["recall_high"].tolist() == pytest.approx(high)
    assert ((found["precision_low"] < found["precision"]) & (found["precision"] < found["precision_high"])).all()


@pytest.mark.parametrize(("kind", "of"), [("table", ">50K"), ("table", "<=50K"), ("image", "disc"), ("image", "bar")])
def test_the_area_under_a_curve_of_one_class_against_the_others_is_scikit_learns(bundles, kind, of):
    bundle = getattr(bundles, kind)
    labels, _, logits = answers(bundle)
    at = list(bundle.manifest.model.classes).index(of)
    scores = np.exp(logits - logits.max(1, keepdims=True))
    scores /= scores.sum(1, keepdims=True)
    found, curve = reading.area(bundle, of=of), reading.roc(bundle, of=of)
    assert found.value == pytest.approx(roc_auc_score(labels == at, scores[:, at]))
    assert found.low < found.value < found.high
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(found.value)
    assert (curve.iloc[0, 1:].tolist(), curve.iloc[-1, 1:].tolist()) == ([0, 0], [1, 1])


def test_a_threshold_gives_the_counts_of_the_rows_whose_probability_reaches_it(bundles):
    labels, chosen, logits = answers(bundles.table)
    sure = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    row = reading.threshold_rates(bundles.table, cuts=(0.3,)).iloc[0]
    assert row[["tn", "fp", "fn", "tp"]].tolist() == confusion_matrix(labels, sure >= 0.3).ravel().tolist()
    precision, recall, _, _ = precision_recall_fscore_support(labels, sure >= 0.3, average="binary")
    assert (row["precision"], row["recall"]) == pytest.approx((precision, recall))
    assert row["fpr"] == pytest.approx((sure[labels == 0] >= 0.3).mean())
    grid = reading.threshold_rates(bundles.table).set_index("threshold")
    assert (np.diff(grid["selected"]) <= 0).all()
    assert grid.loc[0.5, ["tn", "fp", "fn", "tp"]].tolist() == confusion_matrix(labels, chosen).ravel().tolist()
    assert reading.threshold_rates(bundles.image).empty


def test_the_accuracy_of_a_slice_is_that_of_its_rows(bundles):
    labels, chosen, _ = answers(bundles.table)
    groups = bundles.table.groups()
    found = reading.slices(bundles.table)
    for each in found.to_dict("records"):
        inside = np.logical_and.reduce(
            [(groups[name] == group).to_numpy() for name, group in zip(each["attribute"], each["group"], strict=True)]
        )
        assert each["n"] == inside.sum()
        assert each["value"] == pytest.approx((labels == chosen)[inside].mean())
        assert each["small"] == (inside.sum() < 30)
    assert set(found["attribute"]) == {("sex",), ("race",), ("sex", "race")}
    assert found["small"].any()
    assert not found["small"].all()
    assert reading.slices(bundles.image).empty


def test_a_row_whose_group_is_not_known_is_in_no_slice(bundles, monkeypatch):
    groups = bundles.table.groups()
    groups.loc[:9, "sex"] = None
    monkeypatch.setattr(bundles.table, "groups", lambda: groups, raising=False)
    found = reading.slices(bundles.table)
    assert found[found["attribute"] == ("sex",)]["n"].sum() == 190
    assert found[found["attribute"] == ("race",)]["n"].sum() == 200


def test_a_class_that_is_not_there_is_refused_with_the_nearest(bundles):
    with pytest.raises(RangeError, match=r"'disk' is not a class \(did you mean 'disc'"):
        reading.roc(bundles.image, of="disk")


def test_a_class_that_is_no_label_and_no_answer_is_counted_and_not_listed(bundles, monkeypatch):
    bundle = read(bundles.image.folder)
    assert decided.never(bundle, ANY) == ""
    stored = bundle.arrays("predictions")
    stored |= {"labels": np.minimum(stored["labels"], 1), "logits": stored["logits"] - [0, 0, 99]}
    bundle = read(bundles.image.folder)
    monkeypatch.setattr(bundle, "arrays", lambda name: stored, raising=False)
    assert decided.never(bundle, ANY).startswith("1 class is neither")
    assert list(decided.by_class(bundle, "run", ANY)["Class"]) == ["disc", "ring"]


def test_a_class_without_rows_has_no_curve_and_no_recall(bundles, monkeypatch):
    stored = bundles.image.arrays("predictions")
    stored |= {"labels": np.minimum(stored["labels"], 1)}
    monkeypatch.setattr(bundles.image, "arrays", lambda name: stored, raising=False)
    assert reading.roc(bundles.image, of="bar").empty
    assert np.isnan(reading.area(bundles.image, of="bar").value)
    assert reading.by_class(bundles.image)["recall"].isna().tolist() == [False, False, True]
