"""A network of the zoo with several labels: its data, its card, and training it again."""

import pytest
import torch
from probe_models.datasets import adult, adult_labels
from probe_models.training.settings import Settings
from probe_models.zoo.recipes import RECIPES

from probe import MultiLabel, zoo

NAME = "adult-labels-mlp"
LABELS = ("over 50K", "over 40 hours", "degree")


def test_adult_labels_match_the_adult_rows_and_are_not_inputs():
    labels, income = zoo.data("adult-labels"), zoo.data("adult")
    hours, education = (income.inputs[:, adult.TABLE.features.index(n)] for n in ("hours_per_week", "education_num"))
    assert torch.equal(labels.labels, torch.stack([income.labels, (hours > 40).long(), (education >= 13).long()], 1))
    assert labels.classes == adult_labels.CLASSES == LABELS
    assert not {"hours_per_week", "education_num", "income"} & {*labels.space.names}
    assert zoo.task(NAME) == zoo.load(NAME).task == MultiLabel(LABELS)
    assert zoo.favourable("adult-labels") == ""


def test_each_label_of_adult_labels_is_predicted_better_than_by_a_linear_model():
    card = zoo.card(NAME)["metrics"]
    for label in LABELS:
        assert card[f"ahead_of_linear_baseline_low of {label}"] > 0
        share = card[f"true of {label}"]
        assert card[f"accuracy of {label}"] > max(share, 1 - share) + 0.03
    for metric, least in RECIPES[NAME].at_least.items():
        assert card[metric] >= least
    assert card["exact_match"] < min(card[f"accuracy of {label}"] for label in LABELS)


def test_the_card_says_how_good_each_label_is():
    model, data, card = zoo.load(NAME), zoo.data(NAME), zoo.card(NAME)["metrics"]
    right = (model.predict(data.inputs) == data.labels).double().mean(0)
    for at, label in enumerate(LABELS):
        assert card[f"accuracy of {label}"] == pytest.approx(right[at].item(), abs=1e-4)


def test_a_network_of_several_labels_is_trained_again_on_other_rows():
    few = zoo.data("adult-labels", "train")[:300]
    model = zoo.trainer(NAME, settings=Settings(epochs=2, batch_size=64))(few, seed=1)
    assert model.task == MultiLabel(LABELS)
    assert model.logits(few.inputs[:4]).shape == (4, 3)
