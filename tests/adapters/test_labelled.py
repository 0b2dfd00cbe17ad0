"""Estimators of scikit-learn with several labels at once: a Model whose labels are true or not each."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probe import MultiLabel, Space, from_estimator, from_predict_proba
from probe.errors import DataError, ShapeError, Unsupported

X = np.random.default_rng(0).random((60, 3))
Y = (X[:, :2] > 0.5).astype(int)
SPACE = Space(reference=torch.zeros(1, 3), names=("a", "b", "c"))


def forest(labels):
    return RandomForestClassifier(5, random_state=0).fit(X, labels)


def test_a_forest_of_several_labels_decides_each_as_it_does_itself():
    fitted = forest(Y)
    model = from_estimator(fitted, SPACE, ("tall", "old"))
    rows = torch.from_numpy(X).float()
    assert model.task == MultiLabel(("tall", "old"), outputs="probabilities")
    theirs = np.stack([table[:, 1] for table in fitted.predict_proba(rows.numpy())], 1)
    np.testing.assert_allclose(model.task.probabilities(model.logits(rows)), theirs, atol=1e-6)
    assert model.only("old").predict(rows).tolist() == (theirs[:, 1] >= 0.5).astype(int).tolist()
    assert "true where tall is 1, old is 1" in model.notices[0]
    assert from_estimator(fitted, SPACE).task.labels == ("label 0", "label 1")


def test_labels_of_an_estimator_that_are_not_true_or_false_are_refused():
    three = np.stack([Y[:, 0], np.arange(60) % 3], 1)
    with pytest.raises(Unsupported, match="label 1 of RandomForestClassifier has 3 classes, expected false and true"):
        from_estimator(forest(three), SPACE)
    with pytest.raises(DataError, match="has 2 labels, and 1 are named: tall"):
        from_estimator(forest(Y), SPACE, ("tall",))
    task = MultiLabel(("tall",), outputs="probabilities")
    model = from_predict_proba(lambda rows: [np.zeros((len(rows), 3))], SPACE, (), task=task)
    with pytest.raises(ShapeError, match=r"returned a table \(2, 3\) for a label, expected \(2, 2\)"):
        model.logits(torch.zeros(2, 3))


@pytest.mark.parametrize(
    "made", [MultiOutputClassifier(LogisticRegression()), ClassifierChain(LogisticRegression()),
             MLPClassifier((4,), max_iter=30, random_state=0), OneVsRestClassifier(LogisticRegression()),
             make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=30, random_state=0))],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_labels_are_compared_label_by_label_with_the_estimators_own(made):
    made.fit(X, Y)
    model = from_estimator(made, SPACE, ("tall", "old"), rows=X)
    assert model.task.labels == ("tall", "old")
    given = made.predict_proba(X)
    theirs = np.stack([table[:, 1] for table in given], 1) if isinstance(given, list) else given
    found = model.task.probabilities(model.logits(torch.from_numpy(X).float()))
    np.testing.assert_allclose(found, theirs, atol=1e-5)
    assert [notice.partition(":")[0] for notice in model.notices[1:]] == ["label tall", "label old"]
    assert all("60 rows as they are in the table get the same probabilities" in n for n in model.notices[1:])


def test_a_label_that_is_decided_otherwise_than_its_probability_says_is_refused_by_its_name():
    class Cautious(MultiOutputClassifier):
        def predict(self, rows):
            return (np.stack([table[:, 1] for table in self.predict_proba(rows)], 1) > [0.5, 0.8]).astype(int)

    fitted = Cautious(LogisticRegression(C=100)).fit(X, Y)
    with pytest.raises(
        DataError, match=r"Cautious, old predicts for row \d+ .* threshold=0.8 gives the same decisions"
    ):
        from_estimator(fitted, SPACE, ("tall", "old"), rows=X)
    model = from_estimator(fitted, SPACE, ("tall", "old"), rows=X, threshold=(0.5, 0.8))
    assert model.task.threshold == (0.5, 0.8)
    np.testing.assert_array_equal(model.predict(torch.from_numpy(X).float()), fitted.predict(X))
