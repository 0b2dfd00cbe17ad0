"""Estimators of scikit-learn that predict numbers: explained, attacked and compared once with their own `predict`."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probe import Dataset, MultiLabel, Regression, from_estimator
from probe.errors import DataError, Unsupported
from probe.explainers import KernelShap

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame({"age": RANDOM.random(60) * 50, "debt": RANDOM.random(60)})
TABLE = TABLE.assign(price=2 * TABLE.age - 5 * TABLE.debt, rent=TABLE.debt + 1)
X = TABLE[["age", "debt"]]
DATA = Dataset.from_frame(
    TABLE, label="price", task=Regression(), features=["age", "debt"], dtype=torch.float64, name="houses"
)


@pytest.mark.parametrize(
    "made",
    [LinearRegression(), make_pipeline(StandardScaler(), LinearRegression()), RandomForestRegressor(5, random_state=0)],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
def test_a_regressor_answers_with_its_own_numbers_and_says_that_it_was_compared(made):
    made.fit(X, TABLE.price)
    model = from_estimator(made, DATA.space, ("price",), rows=X)
    assert model.task == Regression(("price",))
    np.testing.assert_allclose(model.predict(DATA.inputs), made.predict(X))
    assert "60 rows as they are in the table get the same numbers as by its own predict" in model.notices[-1]


def test_a_linear_regressor_is_explained_by_its_slopes():
    model = from_estimator(LinearRegression().fit(X, TABLE.price), DATA.space, ("price",))
    reference = torch.zeros(1, 2, dtype=torch.float64)
    model = replace(model, space=replace(model.space, reference=reference))
    values = KernelShap()(model, DATA.inputs[:3]).values
    torch.testing.assert_close(values, DATA.inputs[:3] * torch.tensor([2.0, -5.0], dtype=torch.float64))
    assert "not compared" in model.notices[0]


def test_a_regressor_of_several_numbers_has_an_output_of_each():
    made = LinearRegression().fit(X, TABLE[["price", "rent"]])
    model = from_estimator(made, DATA.space, ("price", "rent"), rows=X)
    assert model.task == Regression(("price", "rent"))
    np.testing.assert_allclose(model.predict(DATA.inputs), made.predict(X))
    with pytest.raises(Exception, match="expected"):
        from_estimator(made, DATA.space, ("price",), rows=X).predict(DATA.inputs)


class Drawing(LinearRegression):
    """It answers the same row otherwise each time."""

    def predict(self, rows):
        return np.asarray(rows)[:, 0] + RANDOM.random()


class Untagged:
    """A predictor of somebody's own, which does not say what it predicts."""

    def predict(self, rows):
        return np.asarray(rows)[:, 0] * 2


def test_an_object_with_predict_only_is_a_regression_if_the_task_says_so():
    with pytest.raises(Unsupported, match=r"has no predict_proba.*predicts numbers, say so: task=Regression\(\)"):
        from_estimator(Untagged(), DATA.space)
    model = from_estimator(Untagged(), DATA.space, rows=X, task=Regression(("age",), tolerance=1.0))
    assert model.task == Regression(("age",), tolerance=1.0)
    np.testing.assert_allclose(model.predict(DATA.inputs), 2 * X.age)


def test_a_regressor_that_is_given_other_columns_than_its_rows_is_refused():
    made = LinearRegression().fit(X.to_numpy(), TABLE.price)
    swapped = X.assign(age=X.debt, debt=X.age)
    wrong = Dataset.from_frame(swapped.assign(price=TABLE.price), label="price", task=Regression(), dtype=torch.float32)
    narrow = from_estimator(made, wrong.space, ("price",), rows=swapped)  # the same columns, in single precision
    assert "compared" in narrow.notices[-1]
    with pytest.raises(DataError, match=r"answers row 0 differently from the original row: price = "):
        from_estimator(Drawing().fit(X.to_numpy(), TABLE.price), DATA.space, ("price",), rows=X)


def test_what_predicts_neither_classes_nor_numbers_is_refused():
    with pytest.raises(Unsupported, match="finds clusters and predicts no label"):
        from_estimator(KMeans(2, n_init=1, random_state=0).fit(X), DATA.space)
    with pytest.raises(DataError, match=r"answers with outputs, and the task is MultiLabel"):
        from_estimator(LinearRegression().fit(X, TABLE.price), DATA.space, task=MultiLabel())
    with pytest.raises(DataError, match="predicts numbers, to which no threshold applies"):
        from_estimator(LinearRegression().fit(X, TABLE.price), DATA.space, threshold=0.3)
