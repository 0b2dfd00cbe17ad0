"""XGBoost and LightGBM as black boxes: classes, cut points, missing values and categories as they were fitted."""

import numpy as np
import pandas as pd
import pytest
import torch

from probe import Dataset, Space, from_estimator
from probe.errors import Unsupported
from tests.adapters.test_comparison import agree

N = 200
RANDOM = np.random.default_rng(1)
NUMBERS = pd.DataFrame({"capital gain": RANDOM.random(N), "date": 20240101 + RANDOM.integers(0, 40, N)})
Y = (NUMBERS["date"] > 20240120).astype(int).to_numpy()


@pytest.fixture(params=["xgboost", "lightgbm"])
def build(request):
    library = pytest.importorskip(request.param)
    settings = {"n_estimators": 5, "max_depth": 3}
    if request.param == "xgboost":
        return lambda: library.XGBClassifier(**settings, enable_categorical=True)
    return lambda: library.LGBMClassifier(**settings, min_child_samples=5, verbose=-1)


@pytest.mark.parametrize("rows", [
    NUMBERS, NUMBERS.assign(**{"capital gain": NUMBERS["capital gain"].mask(RANDOM.random(N) < 0.3)}),
    NUMBERS.assign(job=pd.Categorical(RANDOM.choice(list("zyx"), N), categories=list("zxyw"))),
    NUMBERS.assign(job=pd.Series(pd.Categorical(RANDOM.choice(list("zyx"), N))).mask(RANDOM.random(N) < 0.3)),
    NUMBERS.assign(old=NUMBERS["date"] > 20240110),
])  # fmt: skip
def test_boosted_trees_get_the_columns_they_were_fitted_on(build, rows):
    data = Dataset.from_frame(rows.assign(y=Y), label="y", allow_missing=True, dtype=torch.float64)
    agree(build().fit(rows, Y), data, rows)


def test_labels_that_count_from_zero_are_matched(build):
    labels = np.arange(N) % 12
    rows = pd.DataFrame({"a": labels * 1.0})
    agree(build().fit(rows, labels), Dataset.from_frame(rows.assign(y=labels), label="y"), rows)


def test_an_array_without_names_is_taken(build):
    rows = RANDOM.random((N, 3))
    model = from_estimator(build().fit(rows, Y), Space(), rows=rows)
    assert f"compared: {N} rows" in model.notices[-1]


def test_a_raw_booster_is_refused_in_one_sentence(build):
    fitted = build().fit(NUMBERS, Y)
    booster = fitted.get_booster() if hasattr(fitted, "get_booster") else fitted.booster_
    with pytest.raises(Unsupported, match="a Booster does not say what it predicts; load it into XGBClassifier"):
        from_estimator(booster, Space())
