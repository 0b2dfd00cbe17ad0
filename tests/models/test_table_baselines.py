"""What a card says beside a model: how well simpler models do, and which test rows have inputs of training rows."""

import shutil

import pytest
import torch
from probe_models.zoo import FOLDER
from probe_models.zoo.evaluation import seen_in_training
from probe_models.zoo.measures import measure
from probe_models.zoo.recipes import RECIPES
from probe_models.zoo.renew import renew

from probe import Dataset, zoo

TABLES = ("adult-mlp", "adult-ftt", "adult-hours-mlp", "compas-mlp", "german-mlp")


@pytest.mark.parametrize("name", ["compas-mlp", "german-mlp"])
def test_baselines_are_as_good_as_the_card_says_and_far_better_than_chance(name):
    model, data, card = zoo.load(name), zoo.data(name), zoo.card(name)["metrics"]
    found = measure("table baselines")(model, data)
    for key, value in found.items():
        assert card[key] == pytest.approx(value, abs=5e-3), key
    assert found["baseline_n"] == len(data)
    most = data.labels.double().mean().item()
    ours = (model.predict(data.inputs) == data.labels).double().mean().item()
    for kind in ("linear_baseline", "boosted_trees_baseline"):
        assert found[f"{kind}_low"] < found[kind] < found[f"{kind}_high"]
        assert found[kind] > max(most, 1 - most) - 0.01
        assert found[f"ahead_of_{kind}"] == pytest.approx(ours - found[kind])
        assert found[f"{kind}_area_under_roc"] > 0.65


def test_baselines_learn_nothing_from_what_they_are_tested_on():
    data = zoo.data("compas")
    wrong = Dataset(data.inputs, 1 - data.labels, space=data.space, classes=data.classes, name=data.name)
    found = measure("table baselines")(zoo.load("compas-mlp"), wrong)
    assert found["linear_baseline"] < 0.4
    assert found["boosted_trees_baseline"] < 0.4


@pytest.mark.parametrize("name", TABLES)
def test_cards_of_tables_have_both_baselines_with_interval_rows_and_seed(name):
    card = zoo.card(name)
    for kind in ("linear_baseline", "boosted_trees_baseline"):
        assert card["metrics"][f"{kind}_low"] < card["metrics"][kind] < card["metrics"][f"{kind}_high"]
    assert card["metrics"]["baseline_n"] == card["data"]["rows"]["test"]
    assert card["metrics"]["baseline_seed"] == 0


def test_test_rows_count_as_seen_in_training_by_inputs_alone():
    train = Dataset(torch.tensor([[0.1, 0.2], [0.3, 0.4]]), torch.tensor([0, 1]))
    test = Dataset(torch.tensor([[0.3, 0.4], [0.1, 0.2], [0.1, 0.2], [0.2, 0.1]]), torch.tensor([0, 0, 0, 0]))
    assert seen_in_training(train, test) == 3
    assert seen_in_training(test, train) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seen", "share"),
    [
        ("compas", 1416, 0.764),
        ("adult", 2979, 0.183),
        ("adult-hours", 6218, 0.382),
        ("adult-labels", 9344, 0.574),
        ("german", 0, 0),
    ],
)
def test_how_many_test_rows_have_inputs_of_training_rows(name, seen, share):
    train, test = (zoo.data(name, split) for split in ("train", "test"))
    assert seen_in_training(train, test) == seen
    assert seen / len(test) == pytest.approx(share, abs=5e-4)
    assert (f"{seen:,} of the {len(test):,} test rows have inputs" in test.source) == (seen > 0)


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_card_says_how_many_test_rows_have_inputs_of_training_rows(name):
    rows = zoo.card(name)["data"]["rows"]
    assert 0 <= rows["test_seen_in_training"] <= rows["test"]


def test_a_card_that_is_written_again_is_the_same(tmp_path, monkeypatch):
    folder = shutil.copytree(FOLDER / "german-mlp", tmp_path / "german-mlp")
    monkeypatch.setattr("probe_models.zoo.renew.folder_of", lambda name: folder)
    renew("german-mlp")
    assert zoo.card(folder) == zoo.card("german-mlp")
