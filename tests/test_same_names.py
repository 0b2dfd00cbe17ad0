"""Labels and columns are numbers: what names them otherwise than the model does is refused, and not read by place."""

from itertools import permutations

import pandas as pd
import pytest
import torch

import probe
from probe import Dataset, Model, study
from probe.attacks import FGSM
from probe.certificates import RandomizedSmoothing
from probe.counterfactuals import GrowingSpheres
from probe.errors import DataError
from probe.explainers import InputXGradient
from probe.metrics import Accuracy, RobustAccuracy, Sparseness, Validity
from probe.surveys import PermutationImportance

CLASSES = ("no", "yes")
MODEL = Model(forward=lambda x: 4 * torch.cat([1 - x, x], 1), classes=CLASSES, space=probe.Space(bounds=(0.0, 1.0)))
OTHER = Model(forward=MODEL.forward, classes=CLASSES[::-1], space=MODEL.space)
X, Y = torch.tensor([[0.9], [0.6], [0.2], [0.3]]), torch.tensor([1, 1, 0, 0])
DATA = Dataset(X, Y, classes=CLASSES)

TAKE_DATA = {
    "predict": probe.predict,
    "study.run": lambda model, data: study.run([FGSM(eps=0.1)], model, data, progress=None),
    "survey": PermutationImportance(),
}
RESULTS = {
    "attack": (lambda: FGSM(eps=0.1)(MODEL, X, Y), RobustAccuracy()),
    "attribution": (lambda: InputXGradient()(MODEL, X), Sparseness()),
    "counterfactual": (lambda: GrowingSpheres()(MODEL, X), Validity()),
}


@pytest.mark.parametrize("name", TAKE_DATA)
def test_data_that_name_the_classes_in_another_order_are_refused(name):
    TAKE_DATA[name](MODEL, DATA)
    with pytest.raises(DataError, match="outputs are yes, no, those of data are no, yes; name them in the model's"):
        TAKE_DATA[name](OTHER, DATA)


def test_an_audit_of_a_table_whose_categories_have_another_order_is_refused_and_the_remedy_works(tmp_path):
    """Before, every answer of a right model counted as wrong."""
    frame = pd.DataFrame({"age": X[:, 0].numpy(), "granted": pd.Categorical(["yes", "yes", "no", "no"], CLASSES[::-1])})
    sections = {"explain": {"methods": []}, "attack": {"methods": []}}
    with pytest.raises(DataError, match=r"classes=model\.task\.names"):
        probe.audit(MODEL, Dataset.from_frame(frame, label="granted"), tmp_path / "a", **sections)
    data = Dataset.from_frame(frame, label="granted", classes=MODEL.task.names)
    findings = probe.audit(MODEL, data, tmp_path / "b", **sections).table("findings")
    assert findings.set_index("check").estimate["accuracy"] == 1


@pytest.mark.parametrize(
    ("of_model", "of_data", "said"),
    [
        (
            {"names": ("age", "debt")},
            {"names": ("debt", "age")},
            r"feature 0 is 'age' in the model, and 'debt' in data",
        ),
        ({"names": ("age", "debt")}, {"names": ("age", "pay")}, r"feature 1 .*features=\["),
        ({"levels": ("x", "y")}, {"levels": ("x", "z")}, r"value at coordinate 1 is 'y' in the model.* categories="),
    ],
)
def test_data_whose_columns_mean_something_else_are_refused(of_model, of_data, said):
    """Before, the columns were read by their places."""
    model = Model(forward=lambda x: x, space=probe.Space(**of_model))
    probe.predict(model, Dataset(torch.rand(4, 2), Y, space=probe.Space(**of_model)))
    probe.predict(model, Dataset(torch.rand(4, 2), Y))
    with pytest.raises(DataError, match=said):
        probe.predict(model, Dataset(torch.rand(4, 2), Y, space=probe.Space(**of_data)))


def test_a_table_without_some_columns_of_the_model_is_refused_and_they_are_named():
    ours, others = (probe.Space(names=names).form for names in (("age", "pay", "job"), ("age",)))
    with pytest.raises(DataError, match="the model has 3 features, it has 1, without 'pay' and 1 more; give the same"):
        ours.check_names(others, "it")
    with pytest.raises(DataError, match="the model has 1 features, it has 3, with 'pay' and 1 more"):
        others.check_names(ours, "it")


def test_a_table_with_other_values_of_a_category_is_refused_and_the_remedy_works():
    train, test = (pd.DataFrame({"town": towns, "y": [0, 1, 0, 1]}) for towns in (list("abca"), list("abbb")))
    space = Dataset.from_frame(train, label="y").space
    model = Model(forward=lambda x: 4 * x[:, :2], space=space)
    with pytest.raises(DataError, match="the model has 3 coordinates, data has 2, without 'c'; list"):
        probe.predict(model, Dataset.from_frame(test, label="y"))
    assert len(probe.predict(model, Dataset.from_frame(test, label="y", categories={"town": list("abc")}))) == 4


FRAME = pd.DataFrame({"age": [0.9, 0.6, 0.2, 0.3], "debt": [0.1, 0.5, 0.5, 0.2]})
NAMED = Model(forward=lambda x: 4 * torch.stack([1 - x[:, 0], x[:, 0]], 1), space=probe.Space(names=("age", "debt")))


def test_the_columns_of_a_data_frame_are_found_by_their_names():
    for data in (Dataset(FRAME[["debt", "age"]], Y, space=NAMED.space), Dataset(FRAME, Y)):
        assert Accuracy()(NAMED, probe.predict(NAMED, data)).value == 1
    with pytest.raises(DataError, match="feature 0 is 'age' in the model, and 'debt' in data"):
        probe.predict(NAMED, Dataset(FRAME[["debt", "age"]], Y))


@pytest.mark.parametrize(
    "ask",
    [
        lambda rows, y: Dataset(rows, y),
        lambda rows, y: Dataset(rows, Y, groups=pd.DataFrame({"sex": y})),
        lambda rows, y: FGSM(eps=0.1)(NAMED, rows, y),
        lambda rows, y: InputXGradient()(NAMED, rows, y),
        lambda rows, y: GrowingSpheres(goal=probe.goals.Targeted())(NAMED, rows, targets=1 - y),
        lambda rows, y: RandomizedSmoothing(draws=200, chosen=20)(NAMED, rows, y),
    ],
)
def test_rows_of_pandas_with_another_index_are_refused(ask):
    """Labels in another order than their rows gave a wrong accuracy."""
    labels = pd.Series([1, 1, 0, 0])
    ask(FRAME, labels)
    ask(FRAME, labels.to_numpy()[::-1].copy())
    with pytest.raises(DataError, match=r"the index of .* differs from that of inputs"):
        ask(FRAME, labels[::-1])


@pytest.mark.parametrize("kind", RESULTS)
def test_a_result_is_not_measured_with_a_model_that_names_other_classes(kind):
    make, metric = RESULTS[kind]
    found = make()
    metric(MODEL, found)
    with pytest.raises(DataError, match="those of the result are no, yes"):
        metric(OTHER, found)


def test_a_stored_attack_is_not_asked_of_a_model_that_names_other_classes():
    with pytest.raises(DataError, match="those of the result are no, yes"):
        study.asked_again(FGSM(eps=0.1)(MODEL, X, Y), OTHER)


@pytest.mark.parametrize("names", list(permutations(("a", "b", "c"))))
def test_only_the_same_names_in_the_same_order_are_the_same(names):
    task = probe.Classification(("a", "b", "c"))
    if names == task.names:
        task.check_names(names, "its", "")
    else:
        with pytest.raises(DataError):
            task.check_names(names, "its", "")
    task.check_names((), "its", "")
    probe.Classification().check_names(names, "its", "")


@pytest.mark.parametrize("spelled", [("0", "1"), ("0.0", "1.0"), ("False", "True"), ("false", "true")])
def test_one_pair_of_classes_is_spelled_in_many_ways(spelled):
    """An estimator that was fitted to booleans calls them False and True, a CSV 0 and 1."""
    task = probe.Classification(("False", "True"))
    task.check_names(spelled, "its", "")
    with pytest.raises(DataError):
        task.check_names(spelled[::-1], "its", "")


def test_an_output_of_a_regression_without_a_name_is_any():
    for ours, theirs in ((("price",), probe.Regression().names), (probe.Regression().names, ("price",))):
        probe.Regression(ours).check_names(theirs, "its", "")
    with pytest.raises(DataError):
        probe.Regression(("price",)).check_names(("weight",), "its", "")


def test_training_rows_of_pandas_are_taken_by_index_and_columns():
    space = probe.Space(names=("age", "debt"), bounds=(0.0, 1.0))
    rows = pd.DataFrame({"debt": [0.1, 0.2, 0.3], "age": [0.9, 0.6, 0.2]}, index=[7, 5, 9])
    labels = pd.Series([1, 1, 0], index=rows.index)

    def model(rows, labels):
        return Model(forward=lambda x: 4 * torch.cat([1 - x[:, :1], x[:, :1]], 1), space=space, classes=CLASSES,
                     training=(rows, labels))  # fmt: skip

    inputs, answers = model(rows, labels).training
    assert inputs.tolist() == torch.tensor([[0.9, 0.1], [0.6, 0.2], [0.2, 0.3]]).tolist()
    assert answers.tolist() == [1, 1, 0]
    for odd, message in [
        ((rows, labels.sort_index()), "index of its labels differs from that of the rows of Model.training"),
        ((rows, labels[:2].to_numpy()), "3 rows and 2 labels; give one for each row"),
        ((rows, labels + 1), "labels of Model.training span 1 to 2, expected 0 to 1 for the classes no, yes"),
        ((rows, labels.map({0: "no", 1: "yes"})), "the labels of Model.training are a Series, expected a tensor"),
    ]:
        with pytest.raises(probe.ProbeError, match=message):
            model(*odd)
