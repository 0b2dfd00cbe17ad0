"""What an estimator is given is what it was fitted on; where it is not, the first row that differs says so."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from probe import Dataset, Space, from_csv, from_estimator
from probe.errors import DataError, Unsupported

N = 240
RANDOM = np.random.default_rng(0)


@pytest.fixture
def csv(tmp_path):
    def write(table):
        table.to_csv(tmp_path / "t.csv", index=False)
        return tmp_path / "t.csv"

    return write


def agree(estimator, data, rows):
    """Whether the model of an estimator answers exactly as the estimator does, compared here and by itself."""
    model = from_estimator(estimator, data.space, data.classes, rows=rows)
    assert f"compared: {len(rows)} rows" in model.notices[-1]
    logits = model.forward(data.inputs)
    decided = np.array(model.classes)[model.decide(logits).numpy()]
    np.testing.assert_array_equal(decided, np.asarray(estimator.predict(rows)).astype(str))
    own = pd.DataFrame(estimator.predict_proba(rows), columns=[str(c) for c in estimator.classes_])
    np.testing.assert_allclose(logits.softmax(-1), own[list(model.classes)], atol=1e-5)
    return model


@pytest.mark.parametrize("kind", [int, float, bool])
def test_numbers_in_a_column_of_objects_stay_objects(kind):
    """An encoder that was fitted to objects compares them with objects."""
    codes = (np.arange(N) % 2 if kind is bool else np.arange(N) % 4).astype(kind)
    table = pd.DataFrame({"code": codes.astype(object), "age": RANDOM.normal(size=N)})
    answers = (np.arange(N) % 4 == 1).astype(int)
    encoder = make_column_transformer((OneHotEncoder(), ["code"]), remainder="passthrough")
    fitted = make_pipeline(encoder, LogisticRegression()).fit(table, answers)
    for settings in ({}, {"categories": {"code": list(dict.fromkeys(map(str, codes)))}}):
        data = Dataset.from_frame(table.assign(y=answers), label="y", **settings)
        agree(fitted, data, table)


@pytest.mark.parametrize("labels", [
    np.arange(N) % 12, np.arange(N) % 2 * 2 - 1, np.arange(N) % 3 + 1.0, (np.arange(N) % 12).astype(str),
    np.arange(N) % 2 == 0, np.array(["no", "yes"])[np.arange(N) % 2],
])  # fmt: skip
def test_classes_of_any_kind_are_found(csv, labels):
    table = pd.DataFrame({"a": pd.factorize(labels)[0] * 1.0, "b": 0.5, "y": labels})
    data = from_csv(csv(table), label="y")
    rows = table[["a", "b"]]
    model = agree(DecisionTreeClassifier().fit(rows, labels), data, rows)
    assert (model.predict(data.inputs) == data.labels).all()


def coded(column):
    """A pipeline that knows the values of a column one by one."""
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [column]))
    return make_pipeline(encoder, LogisticRegression())


def fitted(classes):
    return LogisticRegression().fit(np.arange(6.0)[:, None], np.resize(np.array(classes), 6))


@pytest.mark.parametrize(("own", "classes", "order"), [
    ([0, 1], ("1", "0"), [1, 0]), ([0.0, 1.0], ("1", "0"), [1, 0]), ([True, False], ("TRUE", "false"), [1, 0]),
    (["1", "10", "2"], ("1", "2", "10"), [0, 2, 1]), ([0, 1], ("no", "yes"), [0, 1]), ([0, 1], ("1", "2"), [0, 1]),
    (["01", "1"], ("1", "01"), [1, 0]), ([-1, 1], ("1", "-1"), [1, 0]),
])  # fmt: skip
def test_classes_are_matched_by_name_before_their_place(own, classes, order):
    estimator = fitted(own)
    model = from_estimator(estimator, Space(bounds=(0.0, 9.0)), classes)
    rows = np.arange(6.0)[:, None]
    expected = estimator.predict_proba(rows)[:, order]
    np.testing.assert_allclose(model.forward(torch.from_numpy(rows)).softmax(-1), expected, atol=1e-9)
    assumed = {str(c) for c in own} == {"0", "1"} and classes in (("no", "yes"), ("1", "2"))
    assert any("assumed to be in the estimator's order: 0 is" in notice for notice in model.notices) == assumed


@pytest.mark.parametrize(("own", "classes"), [
    ([0, 1], ("1", "yes")), ([0, 1, 2], ("2", "b", "c")), (["a", "b"], ("c", "d")), ([1, 2], ("1", "3")),
    ([0, 1], ("2", "1")), ([0, 1], ("x", "y", "z")),
])  # fmt: skip
def test_classes_that_contradict_each_other_are_refused(own, classes):
    with pytest.raises(DataError, match="name its own classes"):
        from_estimator(fitted(own), Space(bounds=(0.0, 9.0)), classes)


@pytest.mark.parametrize("values", [
    20240101 + np.arange(N) % 30, 123456789 + np.arange(N), 1_700_000_000 + np.arange(N), np.arange(N),
    RANDOM.normal(size=N).round(4), 1_700_000_000.5 + np.arange(N),
])  # fmt: skip
def test_numbers_reach_an_estimator_in_full_precision(csv, values):
    table = pd.DataFrame({"v": values, "z": 0.0, "y": (values > np.median(values)).astype(int)})
    data, rows = from_csv(csv(table), label="y"), table[["v", "z"]]
    boosted = HistGradientBoostingClassifier(min_samples_leaf=1, max_iter=5)
    agree(boosted.fit(rows, table["y"]), data, rows)
    coded = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["v"])), LogisticRegression()
    )
    agree(coded.fit(rows, table["y"]), data, rows)


@pytest.mark.parametrize("codes", [
    np.arange(N) % 4 + 1, np.arange(N) % 4 + 0.5, np.arange(N) % 2 == 0, np.array(list("abcd"))[np.arange(N) % 4],
])  # fmt: skip
def test_declared_categories_reach_a_pipeline_in_their_own_type(csv, codes):
    table = pd.DataFrame({"job": codes, "age": 40.0, "y": RANDOM.integers(2, size=N) | (pd.factorize(codes)[0] == 1)})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]))
    rows = table[["job", "age"]]
    pipeline = make_pipeline(encoder, LogisticRegression()).fit(rows, table["y"])
    levels = [str(code) for code in dict.fromkeys(codes.tolist())]
    data = from_csv(csv(table), label="y", features=["job", "age"], categories={"job": levels})
    agree(pipeline, data, rows)


def test_a_space_without_types_gives_text_and_is_found_out():
    table = pd.DataFrame({"job": np.arange(N) % 4 + 1})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]))
    pipeline = make_pipeline(encoder, LogisticRegression()).fit(table, np.arange(N) % 4 > 1)
    space = Space(names=("job",), kinds=("category",), features=torch.zeros(4, dtype=torch.long), levels=tuple("1234"))
    with pytest.raises(
        DataError, match=r"answers row 0 differently .* column 'job' comes as '1', and is .*from_csv or"
    ):
        from_estimator(pipeline, space, rows=table)


def test_a_space_in_single_precision_is_found_out():
    table = pd.DataFrame({"date": 20240101.0 + np.arange(30)})
    tree = DecisionTreeClassifier().fit(table - 20240101, np.arange(30) % 2)
    shifted = make_pipeline(FunctionLike(), tree).fit(table, np.arange(30) % 2)
    low, high = torch.tensor([20240100.0]), torch.tensor([20240200.0])
    space = Space(names=("date",), bounds=(low, high), types=("float64",))
    with pytest.raises(DataError, match=r"column 'date' comes as 20240104.0, and is 20240103.0 .*dtype=torch.float64"):
        from_estimator(shifted, space, rows=table)
    data = Dataset.from_frame(table.assign(y=np.arange(30) % 2), label="y")
    agree(shifted, data, table)


class FunctionLike(StandardScaler):
    """Days since the first."""

    def fit(self, rows, y=None):
        super().fit(rows)
        self.mean_, self.scale_ = np.array([20240101.0]), np.array([1.0])
        return self


X = pd.DataFrame({"a": RANDOM.normal(size=N), "b": RANDOM.normal(size=N)})
Y = np.where(X["a"] + RANDOM.normal(size=N) > 0, "yes", "no")


@pytest.mark.parametrize(("estimator", "threshold"), [
    (FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="yes"), 0.2),
    (FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="no"), 0.8),
    (make_pipeline(StandardScaler(), FixedThresholdClassifier(LogisticRegression(), threshold=0.7)), 0.7),
    (FixedThresholdClassifier(LogisticRegression(), pos_label="yes"), 0.5),
    (TunedThresholdClassifierCV(LogisticRegression(), scoring="balanced_accuracy", random_state=0), None),
    (GridSearchCV(FixedThresholdClassifier(LogisticRegression(), pos_label="yes"), {"threshold": [0.3]}), 0.3),
])  # fmt: skip
def test_the_threshold_of_the_estimator_is_the_models(estimator, threshold):
    data = Dataset.from_frame(X.assign(y=Y), label="y", dtype=torch.float64)
    fitted = estimator.fit(X, Y)
    model = agree(fitted, data, X)
    assert model.threshold == pytest.approx(threshold or fitted.best_threshold_)
    turned = from_estimator(fitted, data.space, ("yes", "no"), rows=X)
    assert turned.threshold == pytest.approx(1 - model.threshold)


class Strict(LogisticRegression):
    """Says yes from a probability of 0.3 on."""

    def predict(self, rows):
        return self.classes_[(self.predict_proba(rows)[:, 1] >= 0.3).astype(int)]


def test_an_undeclared_threshold_is_detected_and_its_remedy_works():
    data = Dataset.from_frame(X.assign(y=Y), label="y", dtype=torch.float64)
    estimator = Strict().fit(X, Y)
    with pytest.raises(
        DataError, match=r"predicts for row \d+ yes, .* a threshold other than 0\.5; pass it"
    ) as refused:
        from_estimator(estimator, data.space, data.classes, rows=X)
    named = float(str(refused.value).split("threshold=")[1].split()[0])
    model = from_estimator(estimator, data.space, data.classes, rows=X, threshold=named)
    decided = np.array(model.classes)[model.decide(model.forward(data.inputs)).numpy()]
    np.testing.assert_array_equal(decided, estimator.predict(X))
    other = from_estimator(estimator, data.space, data.classes, rows=X, threshold=0.9)
    assert "its own predict decides otherwise in" in other.notices[-1]


def test_decisions_that_follow_no_threshold_are_refused():
    three = np.resize(["a", "b", "c"], N)

    class Odd(LogisticRegression):
        def predict(self, rows):
            return np.resize(["c", "a", "b"], len(rows))

    data = Dataset.from_frame(X.assign(y=three), label="y")
    with pytest.raises(DataError, match="its predict is not the most likely class"):
        from_estimator(Odd().fit(X, three), data.space, data.classes, rows=X)


def test_without_rows_a_notice_says_that_nothing_was_compared():
    data = Dataset.from_frame(X.assign(y=Y), label="y")
    model = from_estimator(LogisticRegression().fit(X, Y), data.space, data.classes)
    assert model.notices[0].startswith("not compared: LogisticRegression was not run")


def test_rows_may_be_an_array_as_it_was_fitted():
    images = RANDOM.random((50, 1, 4, 4)).astype(np.float32)
    forest = RandomForestClassifier(5, random_state=0).fit(images.reshape(50, -1), np.arange(50) % 2)
    assert "compared: 50 rows" in from_estimator(forest, Space(), rows=images).notices[-1]
    texts = np.array([["cook", 1], ["clerk", 2]] * 20, dtype=object)
    table = pd.DataFrame({"job": texts[:, 0], "n": texts[:, 1].astype(int), "y": [0, 1] * 20})
    pipeline = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(texts, table["y"])
    data = Dataset.from_frame(table, label="y")
    model = from_estimator(pipeline, data.space, data.classes, rows=texts)
    assert "compared: 40 rows" in model.notices[-1]
    np.testing.assert_allclose(model.forward(data.inputs).softmax(-1), pipeline.predict_proba(texts), atol=1e-5)


def test_rows_that_do_not_fit_are_one_sentence():
    data = Dataset.from_frame(X.assign(y=Y), label="y")
    estimator = LogisticRegression().fit(X, Y)
    with pytest.raises(DataError, match="rows have no column 'b'; they have a"):
        from_estimator(estimator, data.space, data.classes, rows=X[["a"]])
    with pytest.raises(DataError, match="expected a DataFrame or an array"):
        from_estimator(estimator, data.space, data.classes, rows=[1, 2])
    with pytest.raises(DataError, match="holds texts, but the space expects numbers"):
        from_estimator(estimator, data.space, data.classes, rows=X.assign(a="x"))


@pytest.mark.parametrize(("estimator", "message"), [
    (IsolationForest(), "detects outliers"),
    (StandardScaler(), "predicts nothing"), (SVC(), "CalibratedClassifierCV"), (LogisticRegression, "is a class"),
])  # fmt: skip
def test_what_gives_no_probabilities_is_refused_in_words_that_fit(estimator, message):
    made = estimator if isinstance(estimator, type) else estimator.fit(X, (np.asarray(Y) == "yes").astype(int))
    with pytest.raises(Unsupported, match=message):
        from_estimator(made, Space())


def test_an_estimator_with_a_label_of_three_classes_beside_another_is_refused():
    forest = RandomForestClassifier(2).fit(X, np.stack([np.arange(N) % 2, np.arange(N) % 3], 1))
    with pytest.raises((Unsupported, DataError), match="label 1 of RandomForestClassifier has 3 classes"):
        from_estimator(forest, Space())


HOLES = X.assign(job=pd.Series(RANDOM.choice(["cook", "clerk"], N))).mask(RANDOM.random((N, 3)) < 0.2)
IMPUTING = make_pipeline(
    make_column_transformer(
        (SimpleImputer(add_indicator=True), ["a", "b"]),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder()), ["job"]),
    ),
    LogisticRegression(),
)


@pytest.mark.parametrize(("estimator", "rows"), [
    (IMPUTING, HOLES), (HistGradientBoostingClassifier(max_iter=5), HOLES[["a", "b"]]),
    (HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype"), HOLES.astype({"job": "category"})),
])  # fmt: skip
def test_missing_cells_reach_a_model_that_takes_them(estimator, rows):
    table = rows.assign(y=Y)
    with pytest.raises(DataError, match=r"empty cells; .* allow_missing=True where the model takes them"):
        Dataset.from_frame(table, label="y")
    data = Dataset.from_frame(table, label="y", allow_missing=True, dtype=torch.float64)
    agree(estimator.fit(rows, Y), data, rows)


def test_category_columns_reach_an_estimator_with_their_levels():
    rows = pd.DataFrame({"size": pd.Categorical(np.resize(["S", "L", "M"], N), categories=["S", "M", "L", "XL"])})
    y = (rows["size"] == "M").astype(int)
    boosted = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(rows, y)
    agree(boosted, Dataset.from_frame(rows.assign(y=y), label="y"), rows)
