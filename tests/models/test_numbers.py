"""A regression of the zoo: hours of work a week, from the other columns of Adult."""

from dataclasses import replace

import pytest
import torch
from probe_models.datasets import adult
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.settings import Settings

from probe import Dataset, Regression, zoo
from probe.errors import DataError, PlanError

CPU = torch.device("cpu")
NET = {"numbers": 2, "onehots": 0, "bins": 4, "widths": [16]}
X = torch.rand(120, 2, generator=torch.Generator().manual_seed(0))
Y = 1000 + 200 * X[:, 0]
QUICK = Settings(epochs=10, batch_size=27, learning_rate=3e-2, loss="squared error")


def trained(data, settings=QUICK, **kwargs):
    network = build("mlp-regressor", NET | kwargs)
    run = fit(network, data, settings, device=CPU, progress=lambda line: None)
    return network(X).detach(), run


def test_adult_hours_are_labels_and_no_input():
    hours, income = zoo.data("adult-hours"), zoo.data("adult")
    at = adult.TABLE.features.index("hours_per_week")
    assert torch.equal(hours.labels, income.inputs[:, at])
    assert "hours_per_week" not in hours.space.names
    assert torch.equal(hours.inputs, torch.cat([income.inputs[:, :at], income.inputs[:, at + 1 :]], 1))
    assert (hours.classes, hours.labels.dtype) == ((), torch.float32)
    assert zoo.task("adult-hours-mlp") == zoo.load("adult-hours-mlp").task == Regression(("hours_per_week",), 8.0)
    assert zoo.favourable("adult-hours") == ""


def test_adult_hours_are_predicted_better_than_by_a_linear_model_and_as_well_as_by_boosted_trees():
    card = zoo.card("adult-hours-mlp")["metrics"]
    low, high = card["root_mean_squared_error_interval_95"]
    assert low < card["root_mean_squared_error"] < high < card["linear_baseline_low"]
    assert card["below_linear_baseline_low"] > 0.5
    assert card["below_boosted_trees_baseline_low"] < 0 < card["below_boosted_trees_baseline_high"]
    # Of 12.3 hours of deviation: the answers explain a quarter of the variance, and no more than trees do.
    assert card["r_squared"] == pytest.approx(card["boosted_trees_baseline_r_squared"], abs=0.01)


@pytest.mark.parametrize("loss", ["squared error", "absolute error"])
def test_a_regression_network_predicts_in_the_unit_of_the_labels(loss):
    answers, run = trained(Dataset(X, Y), replace(QUICK, loss=loss))
    assert float((answers[:, 0] - Y).abs().mean()) < 20
    assert run.untrained == pytest.approx(1.0, abs=0.4)  # in standard deviations
    assert run.best.loss < 0.3


def test_training_is_the_same_in_another_unit_of_the_labels():
    (one, first), (other, second) = trained(Dataset(X, Y)), trained(Dataset(X, Y / 8))
    assert first.best.loss == pytest.approx(second.best.loss, rel=1e-3)
    torch.testing.assert_close(one / 8, other, rtol=1e-4, atol=1e-2)


def test_several_numbers_and_one_that_never_varies_are_learned():
    labels = torch.stack([Y, torch.full_like(Y, 7.0)], 1)
    answers, _ = trained(Dataset(X, labels), outputs=2)
    assert answers.shape == (120, 2)
    assert float((answers[:, 1] - 7).abs().max()) < 1


def test_a_loss_of_numbers_refuses_classes_and_another_count_of_outputs():
    data = Dataset(X, (X[:, 0] > 0.5).long(), classes=("no", "yes"))
    with pytest.raises(PlanError, match=r"'squared error', which is for numbers, and the labels .* take the loss"):
        trained(data)
    with pytest.raises(
        DataError, match=r"returns shape \(\d+, 2\), and the labels have shape \(\d+, 1\); give the network"
    ):
        trained(Dataset(X, Y), outputs=2)
    with pytest.raises(PlanError, match=r"Settings.mixup works through classes, and the loss is of numbers"):
        trained(Dataset(X, Y), replace(QUICK, mixup=0.2))
