"""A wrong argument of a public class is named with the class that was called, and the nearest one."""

import inspect
from contextlib import suppress
from dataclasses import replace
from functools import partial
from inspect import signature
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from probe import (
    Classification,
    Dataset,
    Model,
    MultiLabel,
    Places,
    Prediction,
    Regression,
    Space,
    check_model,
    predict,
    study,
)
from probe.attacks import PGD
from probe.audit import plan_from
from probe.audit.preparing import prepared
from probe.cli.training import _measured
from probe.errors import DataError, PlanError, RangeError, ShapeError, UnknownMethod, UnknownSetting
from probe.explainers import Saliency
from probe.forms import Series
from probe.goals import Targeted
from probe.keywords import Named
from probe.metrics import Accuracy, Deletion
from probe.names import listed
from probe.registry import build as built
from probe.registry import discover, methods
from probe.surveys import PermutationImportance

X = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space(bonds=(0, 1)), r"^Space has no argument 'bonds' \(did you mean 'bounds'\?\); it takes bounds, "),
        (lambda: Model(forwrd=len), r"^Model has no argument 'forwrd' \(did you mean 'forward'\?\)"),
        (lambda: Model(nn.Linear(3, 2)), r"^Model takes its arguments by name; write Model\(forward=...\)"),
        (lambda: Model(), r"^Model lacks 'forward'; give Model\(forward=...\)"),
        (lambda: Dataset(X, labls=X), r"^Dataset has no argument 'labls' \(did you mean 'labels'\?\)"),
        (lambda: Dataset(X), "^Dataset lacks 'labels'"),
        (lambda: Dataset(X, X, ("a", "b")), "^Dataset takes inputs, labels by place, and others by name"),
        (lambda: Classification(clases=("a", "b")), "Classification has no .*did you mean 'classes'"),
        (lambda: Places(("a", "b"), outputz="logits"), "Places has no .*did you mean 'outputs'"),
        (lambda: MultiLabel(("a", "b"), treshold=0.5), "MultiLabel has no .*did you mean 'threshold'"),
        (lambda: Regression(tolerence=1.0), "Regression has no .*did you mean 'tolerance'"),
        (lambda: Prediction(logitz=X), "Prediction has no .*did you mean 'logits'"),
        (lambda: replace(Space(), bonds=(0, 1)), "did you mean 'bounds'"),
    ],
)
def test_a_wrong_argument_is_named_with_its_class_and_the_nearest_one(make, message):
    with pytest.raises(UnknownSetting, match=message):
        make()


def test_signatures_of_public_classes_are_those_of_their_arguments():
    assert list(signature(Space).parameters)[:2] == ["bounds", "features"]
    assert list(signature(Dataset).parameters)[:3] == ["inputs", "labels", "groups"]


def test_an_error_of_type_inside_a_class_stays_what_it_is():
    class Odd(metaclass=Named):
        def __init__(self, *, size):
            raise TypeError("inside")

    with pytest.raises(TypeError, match=r"^inside$") as raised:
        Odd(size=3)
    assert not isinstance(raised.value, UnknownSetting)


def test_a_method_of_another_kind_is_said_to_be_one():
    with pytest.raises(UnknownMethod, match=r"^'pgd' is an attack, expected a goal: .*untargeted"):
        built(methods(), {"method": "pgd", "goal": "pgd"})
    with pytest.raises(UnknownMethod, match=r"^'lime' is an explainer, expected an attack: "):
        built(discover("attack"), {"method": "lime"})


def test_the_budgets_of_a_plan_are_a_list_of_budgets():
    with pytest.raises(PlanError, match=r"attack.eps = '8/255', expected a list of budgets, such as \[\"8/255\"\]"):
        plan_from({"name": "x", "attack": {"eps": "8/255"}}, sources=False)


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        (Classification(("a", "b")), torch.tensor([0, 1]), "^targets span 7 to 7, expected 0 to 1 for 2 classes"),
        (MultiLabel(("a", "b")), torch.ones(2, 2).long(), "^targets span 7 to 7, expected 0 to 1 for each of 2 labels"),
    ],
)
def test_a_target_that_is_none_is_called_a_target(task, labels, message):
    model = Model(forward=nn.Linear(3, 2).eval(), task=task)
    with pytest.raises(DataError, match=message):
        PGD(goal=Targeted(target=7))(model, X, labels)


def test_names_with_edges_that_nobody_sees_are_quoted_in_a_list():
    assert listed(["age", "hired ", "a\u200b", "", "x, y"]) == "age, 'hired ', 'a\\u200b', '', 'x, y'"
    assert listed("abc", 2) == "a, b, ..."


def test_metrics_of_a_training_are_written_as_elsewhere():
    metrics = {"accuracy": 1 / 6, "accuracy_interval_95": [0.05, 0.4], "rows": 1234, "elbo": -244.33056}
    metrics |= {"edge_auc of a": 0.2, "edge_auc_low of a": 0.1, "edge_auc_high of a": 0.3}
    assert [line.replace("\u202f", " ") for line in _measured(metrics)] == [
        "accuracy: 16.7 % [5.0 to 40.0 %]", "rows: 1,234", "elbo: \N{MINUS SIGN}244", "edge auc of a: 0.2 [0.1 to 0.3]"
    ]  # fmt: skip


X3 = torch.zeros(2, dtype=torch.long)
ODD = (
    3,
    1.5,
    True,
    b"ab",
    {"no", "yes"},
    {"no": 0, "yes": 1},
    object(),
    torch.nan,
    torch.tensor(3),
    pd.DataFrame({"a": [1]}),
)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (Classification, ("classes", "outputs")),
        (MultiLabel, ("labels", "outputs")),
        (Regression, ("outputs",)),
        (Places, ("classes", "outputs")),
        (Space, ("names", "kinds", "levels", "words", "special", "types", "missing", "form")),
        (partial(Series), ("names", "sampling_rate")),
        (
            partial(Model, forward=nn.Linear(3, 2).eval()),
            tuple(name for name in signature(Model).parameters if name != "threshold"),
        ),
        (partial(Dataset, X, X3), ("space", "classes", "role")),
    ],
)
def test_an_argument_of_another_type_is_named_and_not_python_s_own_error(make, names):
    for name, odd in product(names, ODD):
        with suppress(DataError, RangeError, ShapeError):
            make(**{name: odd})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Model(forward=len, classes=3), r"^classes are an int, 3; expected a tuple in order, such as \('no'"),
        (lambda: Model(forward=len, task="regression"), r"^Model.task is a str, expected a Task; write task=Class"),
        (lambda: Model(forward=len, batch_size="8"), r"^Model.batch_size = '8', expected a whole number"),
        (lambda: Model(forward=len, usage=5), r"^Model.usage is an int, expected a Usage; write usage=Usage\(\)"),
        (lambda: Model(forward=len, notices="known"), r"^Model.notices are one text, 'known'; give a tuple"),
        (lambda: Model(forward=len, part=True), r"^Model.part is a bool, expected the name or the place"),
        (lambda: Model(forward=len, embed=3), r"^Model.embed is an int, expected a function from ids to vectors"),
        (lambda: Model(forward=len, training=X), r"^Model.training is a Tensor, expected a pair of rows and their"),
        (lambda: Model(forward="net.pt"), r"^Model.forward is a str, expected a network or a function"),
        (lambda: Classification({"no", "yes"}), r"^classes are a set, .* expected a tuple in order"),
        (lambda: Dataset(X, X3, classes={"no": 0}), r"^data: classes are a dict, .* expected a tuple in order"),
        (lambda: Dataset(X, X3, space=(0, 1)), r"^data: space is a tuple, expected a Space"),
        (lambda: Space(names=3), r"^Space.names are an int, 3; expected a tuple in order, such as \('age', 'pay'\)"),
        (lambda: Space(words=("a", "b"), special=("a",)), r"^Space.special hold 'a', expected entries such as "),
    ],
)
def test_an_argument_of_another_type_is_answered_with_what_is_expected(make, message):
    with pytest.raises((DataError, RangeError), match=message):
        make()


def test_names_may_be_an_index_of_pandas_or_an_array():
    columns = pd.DataFrame({"age": [1.0], "pay": [2.0]}).columns
    assert Space(names=columns).names == Space(names=np.array(["age", "pay"])).names == ("age", "pay")
    assert Classification(torch.arange(2)).classes == ("0", "1")
    assert Space(words=("a", "b"), special=()).form.special == ()


def given(function, *values):
    """What a caller gets who runs no checks of types, as these tests do."""
    return inspect.unwrap(function)(*values)


DATA = Dataset(X, X3, classes=("no", "yes"))
CALLS = {
    "explainer": lambda model: given(type(Saliency()).__call__, Saliency(), model, X),
    "attack": lambda model: given(PGD.__call__, PGD(), model, X, X3),
    "metric": lambda model: given(Accuracy.__call__, Accuracy(), model, Prediction(X, X3)),
    "predict": lambda model: given(predict, model, DATA),
    "check": lambda model: given(check_model, model, X),
    "survey": lambda model: given(PermutationImportance.__call__, PermutationImportance(), model, DATA),
    "study": lambda model: given(study.run, [PGD()], model, DATA),
    "audit": lambda model: given(prepared, plan_from({"name": "x"}, sources=False), model, DATA),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_network_in_place_of_a_model_is_named_with_what_makes_one(call):
    with pytest.raises(
        DataError, match=r"^model is a Linear, expected a Model; write Model\(forward=network.eval\(\), "
    ):
        call(nn.Linear(3, 2))


def test_rows_in_place_of_a_dataset_are_named_with_what_makes_one():
    model = Model(forward=nn.Linear(3, 2).eval())
    survey, plan = PermutationImportance(), plan_from({"name": "x"}, sources=False)
    for call in (
        lambda: given(predict, model, (X, X3)),
        lambda: given(study.run, [PGD()], model, (X, X3)),
        lambda: given(prepared, plan, model, (X, X3)),
        lambda: given(PermutationImportance.__call__, survey, model, (X, X3)),
    ):
        with pytest.raises(DataError, match=r"^data is a tuple, expected a Dataset; write Dataset\(inputs, labels, "):
            call()


def test_a_method_that_none_of_the_metrics_measures_is_refused_before_it_is_run():
    model = Model(forward=nn.Linear(3, 2).eval(), space=Space(reference=X))
    with pytest.raises(
        DataError, match=r"^none of the metrics measures what PGD\(.*such as RobustAccuracy\(\), or leave"
    ):
        study.run([PGD(), Saliency()], model, DATA, metrics=Deletion())
    with pytest.raises(DataError, match=r"^metrics holds 'deletion', which is a str, expected a Metric"):
        inspect.unwrap(study.run)([Saliency()], model, DATA, metrics=["deletion"])
