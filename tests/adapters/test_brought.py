"""Odd but honest tables and estimators: the same answers as without probe, or a sentence whose remedy works."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OutputCodeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from probe import Dataset, Space, from_csv, from_estimator
from probe.errors import DataError, ShapeError, Unsupported

N = 200
RANDOM = np.random.default_rng(0)
AGE = RANDOM.integers(18, 80, N)
HIRED = np.where(AGE + RANDOM.normal(0, 10, N) > 45, "yes", "no")


def of_truths():
    """A pipeline over a column of truth values."""
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["member"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def test_truth_values_with_an_empty_cell_reach_a_pipeline_as_truth_values(tmp_path):
    member = np.where(np.arange(N) % 5 == 0, None, HIRED == "yes")
    path = tmp_path / "people.csv"
    pd.DataFrame({"member": member, "age": AGE, "hired": HIRED}).to_csv(path, index=False)
    rows = pd.read_csv(path)[["member", "age"]]
    fitted = of_truths().fit(rows, HIRED)
    data = from_csv(path, label="hired", allow_missing=True)
    model = from_estimator(fitted, data.space, data.classes, rows=rows)
    np.testing.assert_allclose(model.logits(data.inputs).softmax(-1), fitted.predict_proba(rows), atol=1e-6)


def test_two_kinds_of_missing_values_are_distinguished_and_the_remedy_works():
    """An encoder has a category for None and another for NaN."""
    frame = pd.DataFrame({"member": np.where(np.arange(N) % 5 == 0, None, HIRED == "yes"), "age": AGE})
    data = Dataset.from_frame(frame.assign(hired=HIRED), label="hired", allow_missing=True)
    with pytest.raises(DataError, match="comes as nan, and is None in the rows, which are two kinds of missing"):
        from_estimator(of_truths().fit(frame, HIRED), data.space, data.classes, rows=frame)
    filled = frame.fillna(np.nan)
    model = from_estimator(of_truths().fit(filled, HIRED), data.space, data.classes, rows=filled)
    assert "same probabilities and decisions" in model.notices[-1]


def test_rows_that_tie_are_counted_where_the_classes_stand_in_another_order_than_the_estimators():
    """Of two classes that are equally likely the first in order is decided for."""
    frame = pd.DataFrame({"x": [0, 0, 1, 1, 2, 2] * 10})
    label = ["lo", "hi", "lo", "lo", "hi", "hi"] * 10
    fitted = DecisionTreeClassifier().fit(frame, label)  # its classes are hi, lo
    data = Dataset.from_frame(frame.assign(y=label), label="y", classes=("lo", "hi"))
    model = from_estimator(fitted, data.space, data.classes, rows=frame)
    decided = np.array(model.classes)[model.predict(data.inputs).numpy()]
    assert (decided != fitted.predict(frame)).sum() == 20
    assert "but for 20 in which two classes are equally likely" in model.notices[-1]
    own = from_estimator(fitted, data.space, ("hi", "lo"), rows=frame)
    assert own.notices[-1].endswith("same probabilities and decisions")


def test_a_predict_that_breaks_ties_by_what_its_probabilities_do_not_show_is_refused():
    """As that of SGDClassifier(loss="modified_huber"), which gives equal probabilities to classes far from a row."""

    class Hidden(LogisticRegression):
        def predict_proba(self, rows):
            return np.full((len(rows), 2), 0.5)

    frame = pd.DataFrame({"age": AGE})
    data = Dataset.from_frame(frame.assign(hired=HIRED), label="hired")
    fitted = Hidden(max_iter=1000).fit(frame, HIRED)
    with pytest.raises(DataError, match="its predict is not the most likely class"):
        from_estimator(fitted, data.space, data.classes, rows=frame)


@pytest.mark.parametrize(("columns", "dtype", "refused"), [(1, "f8", True), (3, "f8", True), (2, "f2", False)])
def test_probabilities_are_those_of_each_class_in_any_precision(columns, dtype, refused):
    class Own:
        classes_, n_features_in_ = np.array([0, 1]), 1

        def predict_proba(self, rows):
            second = 1 / (1 + np.exp(-0.1 * (np.asarray(rows)[:, :1].astype(float) - 45)))
            return np.hstack([1 - second, second, 0 * second] if columns > 1 else [second])[:, :columns].astype(dtype)

        def predict(self, rows):
            return (np.asarray(rows)[:, 0] > 45).astype(int)

    frame = pd.DataFrame({"age": AGE})
    data = Dataset.from_frame(frame.assign(old=(AGE > 45).astype(int)), label="old")
    if not refused:
        model = from_estimator(Own(), data.space, rows=frame)
        return np.testing.assert_array_equal(model.predict(data.inputs), data.labels)
    with pytest.raises(ShapeError, match=rf"returned \({N}, {columns}\), expected \({N}, 2\): a probability for each"):
        from_estimator(Own(), data.space, rows=frame)


@pytest.mark.parametrize("estimator", [
    VotingClassifier([("a", DecisionTreeClassifier())]), OutputCodeClassifier(DecisionTreeClassifier()),
])  # fmt: skip
def test_what_is_told_about_decisions_without_probabilities_works(estimator):
    frame = pd.DataFrame({"age": AGE})
    data = Dataset.from_frame(frame.assign(hired=HIRED), label="hired")
    estimator.fit(frame, HIRED)
    with pytest.raises(Unsupported) as raised:
        from_estimator(estimator, data.space, data.classes)
    if "voting=" in str(raised.value):
        estimator = clone(estimator).set_params(voting="soft").fit(frame, HIRED)
    else:
        statement = str(raised.value).split("as probabilities: ")[1].split("; ")[0]
        exec(statement, {"estimator": estimator})
    assert from_estimator(estimator, data.space, data.classes, rows=frame).notices[-1].endswith("and decisions")


def test_a_row_without_a_value_of_a_category_is_not_decoded_to_its_first():
    frame = pd.DataFrame({"job": np.where(AGE > 40, "cook", "clerk"), "age": AGE})
    data = Dataset.from_frame(frame.assign(hired=HIRED), label="hired")
    fitted = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough"), LogisticRegression(max_iter=1000)
    ).fit(frame, HIRED)
    model = from_estimator(fitted, data.space, data.classes, rows=frame)
    rows = data.inputs[:3].clone()
    rows[1, :2] = 0
    with pytest.raises(DataError, match="row 1 has no value of 'job': none of its 2 coordinates is above 0"):
        model.predict(rows)


def test_columns_in_another_order_are_not_blamed_on_precision():
    frame = pd.DataFrame({"age": AGE, "years": AGE[::-1]})
    fitted = LogisticRegression(max_iter=1000).fit(frame.to_numpy(), HIRED)
    data = Dataset.from_frame(frame.assign(hired=HIRED), label="hired", features=["years", "age"])
    with pytest.raises(DataError, match="their columns are others, or in another order"):
        from_estimator(fitted, data.space, data.classes, rows=frame)


def test_an_estimator_of_one_class_is_refused_as_such():
    frame = pd.DataFrame({"age": AGE})
    data = Dataset.from_frame(frame.assign(hired="no"), label="hired")
    with pytest.raises(DataError, match="rows of one class alone, no"):
        from_estimator(DecisionTreeClassifier().fit(frame, ["no"] * N), data.space, data.classes, rows=frame)


def test_a_threshold_that_is_proposed_can_be_named():
    class Strict(LogisticRegression):
        def predict(self, rows):
            return np.full(len(rows), self.classes_[0])

    frame = pd.DataFrame({"age": AGE})
    data = Dataset.from_frame(frame.assign(hired=HIRED), label="hired")
    fitted = Strict(max_iter=1000, C=100).fit(frame, HIRED)
    with pytest.raises(DataError, match="gives the same decisions") as raised:
        from_estimator(fitted, data.space, data.classes, rows=frame)
    named = float(str(raised.value).partition("threshold=")[2].split()[0])
    model = from_estimator(fitted, data.space, data.classes, rows=frame, threshold=named)
    assert model.notices[-1].endswith("same probabilities and decisions")


class Scaling(LogisticRegression):
    """Scales the rows that it gets in their place."""

    def predict_proba(self, rows):
        rows /= 100
        return super().predict_proba(rows)

    def predict(self, rows):
        rows /= 100
        return super().predict(rows)


@pytest.mark.parametrize("kind", [pd.DataFrame, np.array])
def test_an_estimator_that_writes_into_its_rows_changes_neither_those_of_the_user_nor_the_comparison(kind):
    numbers = np.stack([AGE, RANDOM.integers(0, 9, N)], 1).astype(float)
    rows = kind(numbers.copy())
    named = {"names": ("0", "1")} if kind is pd.DataFrame else {}
    space = Space(bounds=(0.0, 100.0), **named)
    fitted = Scaling().fit(kind(numbers / 100), HIRED)
    model = from_estimator(fitted, space, ("no", "yes"), rows=rows)
    assert (np.asarray(rows) == numbers).all()
    assert "same probabilities and decisions" in model.notices[-1]
