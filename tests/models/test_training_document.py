"""What docs/training.md shows is run as it stands, with stand-ins for what probe does not install."""

import re
from pathlib import Path

import pytest
import torch
from probe_models.training.loop import fit
from probe_models.training.settings import Settings
from torch import nn

from probe import Dataset, MultiLabel, Places, Regression
from probe.errors import PlanError, ShapeError
from probe.task import Task
from tests.models.test_survival import CPU, quiet, same, weights

TEXT = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")


class Kept:
    """Stands for TensorBoard, Weights & Biases and MLflow: keeps what it is told."""

    def __init__(self):
        self.told = []

    def add_scalar(self, name, value, step):
        self.told.append((name, value, step))

    def log(self, line, step):
        self.told += [(name, value, step) for name, value in line.items()]

    log_metrics = log


@pytest.mark.slow
def test_the_examples_of_the_training_guide_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"writer": Kept(), "run": Kept(), "mlflow": Kept()}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        exec(compile(block, "training.md", "exec"), given)  # our own document
    assert given["writer"].told == given["run"].told == given["mlflow"].told
    assert {step for _, _, step in given["run"].told} == {1, 2, 3, 4, 5}
    assert given["trained"].best.loss < given["trained"].untrained


INPUTS = torch.rand(120, 4, generator=torch.Generator().manual_seed(0))
SETTINGS = Settings(epochs=30, batch_size=20, learning_rate=0.05, weight_decay=0.0)


@pytest.mark.parametrize(("task", "network", "labels"), [
    (MultiLabel(("a", "b", "c")), lambda: nn.Linear(4, 3), (INPUTS[:, :3] > 0.5).long()),
    (Places(("low", "high")), lambda: nn.Unflatten(1, (4, 1)), None),
])  # fmt: skip
def test_a_task_is_learned_from_labels_of_its_shape(task, network, labels):
    net = network() if labels is not None else nn.Sequential(nn.Unflatten(1, (4, 1)), nn.Linear(1, 2))
    labels = (INPUTS > 0.5).long() if labels is None else labels
    data = Dataset(INPUTS, labels, classes=task.names if isinstance(task, MultiLabel) else ())
    found = fit(net, data, SETTINGS, device=CPU, progress=quiet, objective=task, initialise=True)
    assert found.best.accuracy > 0.9


def test_a_task_of_classes_is_learned_as_the_named_loss_does():
    data = Dataset(INPUTS, (INPUTS[:, 0] > 0.5).long(), classes=("low", "high"))
    networks = [nn.Linear(4, 2), nn.Linear(4, 2)]
    from probe import Classification

    for network, objective in zip(networks, (None, Classification(data.classes)), strict=True):
        fit(network, data, Settings(epochs=2), device=CPU, progress=quiet, objective=objective, initialise=True)
    assert same(*map(weights, networks))


def test_a_regression_is_learned_in_the_unit_of_its_labels():
    data = Dataset(INPUTS, 1000 * INPUTS.sum(1))
    found = fit(nn.Linear(4, 1), data, Settings(epochs=3), device=CPU, progress=quiet, objective=Regression(("price",)), initialise=True)  # fmt: skip  # noqa: E501
    assert found.untrained < 100  # in standard deviations, squared


def test_a_task_that_does_not_fit_is_refused_in_a_sentence():
    class Ranks(Task):
        pass

    for name in Ranks.__abstractmethods__:
        setattr(Ranks, name, None)
    Ranks.__abstractmethods__ = frozenset()
    data = Dataset(INPUTS, torch.zeros(120))
    with pytest.raises(PlanError, match=r"there is no loss for a Ranks; give objective= a loss of your own"):
        fit(nn.Linear(4, 1), data, SETTINGS, device=CPU, progress=quiet, objective=Ranks(), initialise=True)
    truths = Dataset(INPUTS, (INPUTS > 0.5).long())
    with pytest.raises(ShapeError, match="expected"):
        fit(nn.Linear(4, 3), truths, SETTINGS, device=CPU, progress=quiet, objective=MultiLabel(tuple("abcd")), initialise=True)  # fmt: skip  # noqa: E501
