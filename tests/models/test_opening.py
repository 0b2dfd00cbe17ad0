"""`fit` takes one's own loss, augmentation, validation rows and callback."""

from dataclasses import replace

import pytest
import torch
from probe_models.training.loop import fit
from probe_models.training.objectives import Evaluation, Objective
from probe_models.training.settings import Settings
from torch import nn

from probe.errors import DataError, PlanError
from tests.models.test_survival import CPU, quiet, rows, same, small, weights

SETTINGS = Settings(epochs=3, batch_size=16, patience=9)


def cross_entropy(outputs, labels):
    return nn.functional.cross_entropy(outputs, labels, reduction="none")


def test_a_custom_loss_trains_like_the_equal_built_in_one():
    named, own = small(), small()
    fit(named, rows(), SETTINGS, device=CPU, progress=quiet)
    fit(own, rows(), SETTINGS, device=CPU, progress=quiet, objective=cross_entropy)
    for name, tensor in weights(named).items():
        assert torch.allclose(tensor, weights(own)[name], atol=1e-6)


@pytest.mark.slow
def test_a_custom_loss_is_minimised():
    # The least squares of the outputs against 3 and -2 are reached by weights of 0 and those biases.
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))

    def squares(outputs, labels):
        return (outputs - torch.tensor([3.0, -2.0])).square()

    settings = Settings(epochs=60, batch_size=16, learning_rate=0.1, weight_decay=0.0, patience=99, optimiser="adam")
    best = fit(network, rows(), settings, device=CPU, progress=quiet, objective=squares, initialise=True).best
    assert best.loss < 1e-2
    assert best.accuracy is None
    assert torch.allclose(network(rows().inputs).mean(0), torch.tensor([3.0, -2.0]), atol=0.1)


def test_a_custom_objective_is_a_class():
    class Far(Objective):
        def forward(self, batch):
            return self.network(batch.inputs).square().sum(1)

        def evaluate(self, network, data):
            return Evaluation(float(network(data.inputs).detach().square().sum(1).mean()))

    found = fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, objective=Far)
    assert found.best.loss < found.untrained


@pytest.mark.parametrize("loss", [lambda o, y: nn.functional.cross_entropy(o, y), lambda o, y: 3.0])
def test_a_loss_that_gives_no_number_for_each_row_is_refused_with_the_remedy(loss):
    with pytest.raises(DataError, match='reduction="none"'):
        fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, objective=loss)


@pytest.mark.parametrize("setting", [{"label_smoothing": 0.1}, {"mixup": 0.2}, {"class_weights": (1.0, 2.0)}])
def test_settings_of_classes_are_refused_with_a_custom_loss(setting):
    with pytest.raises(PlanError, match=f"Settings.{next(iter(setting))}"):
        fit(small(), rows(), replace(SETTINGS, **setting), device=CPU, progress=quiet, objective=cross_entropy)


def test_a_custom_augmentation_changes_training_rows_and_not_validation_rows():
    seen = []

    def louder(inputs, random):
        seen.append(len(inputs))
        return inputs * 2

    plain, own = (fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, augment=a) for a in (None, louder))
    assert sum(seen) == own.rows * own.epochs
    assert plain.untrained == own.untrained
    assert plain.best.loss != own.best.loss


def test_given_validation_rows_choose_the_best_epoch_and_all_training_rows_are_used():
    data = rows()
    found = fit(small(), data, SETTINGS, device=CPU, progress=quiet, validation=data[:7])
    assert (found.rows, found.validation_rows) == (len(data), 7)


def test_a_callback_gets_a_copy_of_each_epochs_numbers(tmp_path):
    heard = []

    def on_epoch(line):
        heard.append(dict(line))
        line.clear()

    found = fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, on_epoch=on_epoch, folder=tmp_path)
    assert [line["epoch"] for line in heard] == [1, 2, 3]
    assert heard == list(found.lines)
    assert {"loss", "validation_loss", "next_learning_rate"} <= heard[0].keys()


def test_a_run_is_resumed_only_with_the_same_loss_and_validation_rows(tmp_path):
    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            small(),
            rows(),
            SETTINGS,
            device=CPU,
            progress=quiet,
            folder=tmp_path,
            objective=cross_entropy,
            on_epoch=stop,
        )
    again, whole = small(), small()
    fit(again, rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path, objective=cross_entropy)
    fit(whole, rows(), SETTINGS, device=CPU, progress=quiet, objective=cross_entropy)
    assert same(weights(again), weights(whole))
