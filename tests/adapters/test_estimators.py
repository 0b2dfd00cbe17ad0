"""Estimators of scikit-learn as black boxes: classes in the asked order, features as they were fitted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from probe import Space, check_model, from_csv, from_estimator
from probe.audit import plan_from, run, verify
from probe.errors import DataError, ShapeError, Unsupported
from probe.explainers import KernelShap

RANDOM = np.random.default_rng(0)
X = RANDOM.random((200, 3)).astype(np.float32)
Y = np.where(X[:, 0] + X[:, 1] > 1, "yes", "no")
SPACE = Space(reference=torch.from_numpy(X[:20]))


@pytest.fixture(scope="module")
def logistic():
    return LogisticRegression().fit(X, Y)


@pytest.mark.parametrize("classes", [(), ("no", "yes"), ("yes", "no")])
def test_probabilities_come_in_the_order_of_the_classes(logistic, classes):
    model = from_estimator(logistic, SPACE, classes)
    check_model(model, torch.from_numpy(X))
    expected = pd.DataFrame(logistic.predict_proba(X), columns=logistic.classes_)[list(model.classes)]
    np.testing.assert_allclose(model(torch.from_numpy(X)).softmax(-1), expected, atol=1e-6)
    assert model.name == "LogisticRegression"


def test_numbered_classes_take_the_names_that_are_given():
    fitted = LogisticRegression().fit(X, (Y == "yes").astype(int))
    assert from_estimator(fitted, SPACE, ("no", "yes")).classes == ("no", "yes")
    assert from_estimator(fitted, SPACE).classes == ("0", "1")


def test_other_classes_are_refused(logistic):
    with pytest.raises(DataError, match="tells apart no, yes, not bad, good"):
        from_estimator(logistic, SPACE, ("bad", "good"))


def test_an_estimator_without_probabilities_or_fit_is_refused():
    with pytest.raises(Unsupported, match="CalibratedClassifierCV"):
        from_estimator(RidgeClassifier().fit(X, Y), SPACE)
    with pytest.raises(DataError, match="fit it first"):
        from_estimator(LogisticRegression(), SPACE)


def test_a_wrong_number_of_features_is_refused_in_one_sentence(logistic):
    with pytest.raises(ShapeError, match="each row has 2 numbers, the estimator was fitted to 3"):
        from_estimator(logistic, Space())(torch.rand(4, 2))


def test_images_are_flattened_for_an_estimator():
    images = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    forest = RandomForestClassifier(5, random_state=0).fit(images.flatten(1).numpy(), np.arange(50) % 2)
    model = from_estimator(forest, Space())
    np.testing.assert_allclose(model(images).softmax(-1), forest.predict_proba(images.flatten(1).numpy()), atol=1e-6)


def test_other_columns_than_those_of_the_fit_are_refused(logistic):
    fitted = LogisticRegression().fit(pd.DataFrame(X, columns=["a", "b", "c"]), Y)
    with pytest.raises(DataError, match=r"fitted to the columns a, b, c, the space names b, a, c"):
        from_estimator(fitted, Space(names=("b", "a", "c")))
    model = from_estimator(fitted, Space(names=("a", "b", "c")))
    np.testing.assert_allclose(model(torch.from_numpy(X)).softmax(-1), fitted.predict_proba(pd.DataFrame(X, columns=list("abc"))), atol=1e-6)  # fmt: skip  # noqa: E501


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    table = pd.DataFrame({
        "age": RANDOM.integers(18, 80, 300),
        "score": RANDOM.random(300).round(3),
        "job": RANDOM.choice(["clerk", "cook", "driver"], 300),
        "sex": RANDOM.choice(["F", "M"], 300),
    })  # fmt: skip
    table["hired"] = np.where(table["score"] + 0.3 * (table["job"] == "cook") > 0.6, "yes", "no")
    path = tmp_path_factory.mktemp("people") / "people.csv"
    table.to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_a_pipeline_over_raw_columns_is_audited_end_to_end(people, tmp_path):
    data = from_csv(people, label="hired", groups=["sex"], features=["age", "score", "job"])
    table = pd.read_csv(people)
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["job"]), (StandardScaler(), ["age", "score"])), LogisticRegression()
    )
    pipeline.fit(table[["age", "score", "job"]], table["hired"])
    space = replace(data.space, reference=data.inputs[:10])
    model = from_estimator(pipeline, space, data.classes, "hiring")
    expected = pipeline.predict_proba(table[["age", "score", "job"]])
    np.testing.assert_allclose(model(data.inputs).softmax(-1), expected, atol=1e-6)
    plan = plan_from({
        "name": "hiring",
        "model": {"factory": "in:notebook"},
        "data": {"csv": "people.csv", "label": "hired"},
        "explain": {"sample": 3},
        "attack": {"sample": 20, "eps": ["0.1"], "methods": [{"method": "square", "max_queries": 40}]},
    })  # fmt: skip
    bundle = run(plan, model, data, tmp_path / "hiring")
    steps = {step.name: step.status for step in bundle.manifest.steps}
    assert steps["explain-kernel_shap"] == steps["explain-lime"] == "done"
    assert steps["explain-integrated_gradients"] == "not run"
    assert steps["attack-square"] == "done"
    assert verify(bundle.folder).numbers > 0
    # The exact Shapley values of a linear model on one reference row would need no test of ours: they add up.
    one = replace(data.space, reference=data.inputs[:1])
    shap = KernelShap()(from_estimator(pipeline, one, data.classes), data.inputs[1:4])
    answer = from_estimator(pipeline, one, data.classes)
    chosen = shap.targets[:, None]
    risen = answer(data.inputs[1:4]).gather(1, chosen)[:, 0] - answer(data.inputs[:1])[0, shap.targets]
    torch.testing.assert_close(shap.by_feature().sum(1), risen, atol=1e-3, rtol=0)
