"""The rows that a model learned from, as a plan names them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from probe import Dataset
from probe.audit import plan_from, run, verify
from probe.audit.reading import origin
from probe.audit.sources import DataSource
from probe.cli.sources import open_both
from probe.cli.training_rows import learned
from probe.errors import DataError, PlanError, ShapeError
from probe.tables import from_csv
from tests.audit.conftest import table

QUICK = {"explain": {"sample": 0}, "attack": {"sample": 0}, "data": {"sample": 0}}


def tables(place, audited: pd.DataFrame, training: pd.DataFrame) -> tuple[DataSource, Dataset]:
    for name, frame in (("people.csv", audited), ("train.csv", training)):
        frame.to_csv(place / name, index=False)
    source = DataSource(csv=str(place / "people.csv"), label="hired", train=str(place / "train.csv"))
    return source, from_csv(source.csv, label="hired")


PEOPLE = pd.DataFrame({"age": [20, 30, 40, 50], "job": ["clerk", "smith", "clerk", "smith"], "hired": list("nyny")})


def test_training_rows_are_read_as_the_data_are(tmp_path):
    training = PEOPLE.iloc[[2, 1]][["hired", "job", "age"]]  # in another order of rows and columns
    source, data = tables(tmp_path, PEOPLE, training)
    inputs, labels, said = learned(source, data, None, lambda source: data)
    assert torch.equal(inputs.float(), data.inputs[[2, 1]])
    assert torch.equal(labels, data.labels[[2, 1]])
    assert said == ()


def test_training_rows_with_values_that_the_data_never_have_are_counted(tmp_path):
    training = pd.concat([PEOPLE, pd.DataFrame({"age": [20, None], "job": ["nurse", "smith"], "hired": ["y", "n"]})])
    source, data = tables(tmp_path, PEOPLE, training)
    inputs, _, said = learned(source, data, None, lambda source: data)
    assert len(inputs) == 4
    assert said == ("2 of the 6 rows of train.csv hold values that people.csv never has, and were left out",)


def test_a_training_table_without_a_column_is_refused_by_its_name(tmp_path):
    source, data = tables(tmp_path, PEOPLE, PEOPLE.drop(columns="job"))
    with pytest.raises(DataError, match=r"no column 'job', which people\.csv has"):
        learned(source, data, None, lambda source: data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("known", "said"),
    [
        (
            slice(0, 3),
            "3 of the 20 audited rows have inputs that are also among the 3 known training rows of the model",
        ),
        (
            slice(0, 1),
            "1 of the 20 audited rows has inputs that are also among the 1 known training rows of the model",
        ),
        (
            slice(20, 60),
            "None of the 20 audited rows has inputs that are also among the 40 known training rows of the model",
        ),
    ],
)
def test_the_first_page_says_how_many_rows_the_model_has_seen(tmp_path, known, said):
    model, data = table(60)
    model = replace(model, training=(data.inputs[known].double(), data.labels[known]))
    plan = plan_from({"name": "seen", **QUICK}, sources=False)
    bundle = run(plan, model, data[:20], tmp_path / "seen")
    assert said in origin(bundle.manifest)
    verify(bundle.folder)
    assert bundle.manifest.model.training.n == len(data.labels[known])


def test_training_and_test_rows_treat_missing_cells_and_zeros_alike(tmp_path):
    from probe.tensors import among

    rows = torch.tensor([[0.0, torch.nan], [-0.0, 1.0], [2.0, 3.0]])
    others = torch.tensor([[0.0, 1.0], [-0.0, -torch.nan]], dtype=torch.float64)
    assert among(rows, others).tolist() == [True, True, False]
    assert among(rows[:0], others).tolist() == []


def test_training_rows_of_another_shape_are_refused(tmp_path):
    model, data = table(60)
    model = replace(model, training=(torch.zeros(3, 7), torch.zeros(3)))
    with pytest.raises(ShapeError, match=r"the training rows of mlp have shape \(7,\), and those of people \(5,\)"):
        run(plan_from({"name": "seen", **QUICK}, sources=False), model, data, tmp_path / "seen")


def test_a_plan_names_training_rows_from_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(
        "import torch\ndef build():\n    torch.manual_seed(0)\n    return torch.nn.Linear(3, 2).eval()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    tables(tmp_path, PEOPLE, PEOPLE.iloc[1:3])
    source = {"csv": "people.csv", "label": "hired", "train": "train.csv"}
    plan = plan_from({"name": "own", "model": {"factory": "nets:build"}, "data": source})
    plan = replace(plan, data=plan.data.within(tmp_path))
    model, data = open_both(plan, allow_code=True)
    assert torch.equal(model.training[0], data.inputs[1:3])
    assert model.training[0].dtype == data.inputs.dtype


def test_arrays_and_splits_of_the_zoo_name_training_rows(tmp_path, monkeypatch):
    for name, rows in (("data", slice(0, 4)), ("train", slice(2, 8))):
        source = np.random.default_rng(0)
        np.savez(tmp_path / f"{name}.npz", inputs=source.random((8, 1, 4, 4))[rows], labels=np.arange(8)[rows] % 2)
    (tmp_path / "pictures.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    where = {"npz": str(tmp_path / "data.npz"), "train": str(tmp_path / "train.npz"), "classes": ["0", "1"]}
    plan = plan_from({"name": "own", "model": {"factory": "pictures:build"}, "data": where})
    model, data = open_both(plan, allow_code=True)
    assert torch.equal(model.training[0][:2], data.inputs[2:])
    assert len(model.training[0]) == 6
    split = plan_from({"name": "split", "model": {"zoo": "german-mlp"}, "data": {"train": "train"}})
    model, data = open_both(split)
    assert model.training[0].shape[1:] == data.inputs.shape[1:]
    assert len(model.training[0]) != len(data)


TRAINING = """
import torch
from torch import nn
from probe import Model

def build():
    return nn.Linear(2, 2)

def again(data, seed=0):
    net = nn.Linear(2, 2).requires_grad_(False)
    net.weight.copy_(torch.randn(2, 2, generator=torch.Generator().manual_seed(seed)))
    return Model(forward=net.eval(), space=data.space, classes=data.classes)
"""


@pytest.mark.slow
def test_a_plan_names_outliers_and_what_trains_shadow_models(tmp_path, monkeypatch):
    (tmp_path / "shadowy.py").write_text(TRAINING)
    monkeypatch.syspath_prepend(tmp_path)
    source = np.random.default_rng(0)
    for name, mean in (("people", 0), ("learned", 0), ("others", 9)):
        frame = pd.DataFrame(source.normal(mean, 1, (40, 2)), columns=["age", "pay"])
        extra = {} if name == "others" else {"hired": list("ny") * 20}
        frame.assign(**extra).to_csv(tmp_path / f"{name}.csv", index=False)
    wanted = [
        {"method": "outlier_auroc", "shift": "given"},
        {"method": "membership_tpr", "by": "shadows", "shadows": 2},
    ]
    given = {
        "name": "shadowy",
        "model": {"factory": "shadowy:build", "trainer": "shadowy:again"},
        "data": {"csv": "people.csv", "label": "hired", "train": "learned.csv", "outliers": "others.csv"},
        "survey": {"methods": wanted, "sample": 30},
        **{name: {"sample": 0} for name in ("explain", "attack", "search", "certify")},
    }
    plan = plan_from(given)
    plan = replace(plan, data=plan.data.within(tmp_path))
    with pytest.raises(PlanError, match=r"takes its model from shadowy:build"):
        open_both(plan)
    model, data = open_both(plan, allow_code=True)
    assert torch.equal(data.outliers.double(), torch.tensor(pd.read_csv(tmp_path / "others.csv").to_numpy()).double())
    assert any("the 40 rows of others.csv" in notice for notice in data.notices)
    bundle = run(plan, model, data, tmp_path / "out")
    assert [step.status for step in bundle.manifest.steps] == ["done"] * 3
    assert bundle.arrays("survey-outlier_auroc")["measured-outlier_auroc"].shape == (30, 2, 2)
    assert bundle.arrays("survey-membership_tpr")["items"].shape == (3,)
    verify(bundle.folder)


def test_a_trainer_of_the_zoo_s_own_and_foreign_code_are_refused(tmp_path):
    with pytest.raises(PlanError, match="which the recipe of a network of the zoo already is"):
        plan_from({"name": "x", "model": {"zoo": "german-mlp", "trainer": "a:b"}})
    plan = plan_from(
        {"name": "x", "model": {"onnx": "m.onnx", "trainer": "a:b"}, "data": {"csv": "p.csv", "label": "y"}}
    )
    with pytest.raises(PlanError, match="takes its shadow models from a:b, whose code would be run"):
        open_both(plan)


@pytest.mark.slow
def test_a_network_of_the_zoo_has_its_recipe_and_another_data_set_as_outliers():
    given = {"name": "x", "model": {"zoo": "fashion-mlp"}, "data": {"outliers": "fashion-generated"}}
    model, data = open_both(plan_from(given))
    assert callable(model.trainer)
    assert data.outliers.shape[1:] == data.inputs.shape[1:]
    given["data"] = {"outliers": "german"}
    with pytest.raises(DataError, match=r"name rows of the same shape as data\.outliers"):
        open_both(plan_from(given))
