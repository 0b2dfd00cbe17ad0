"""Training as a network of the zoo was trained, on any rows of that form."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from probe import Checkpoint, Classification, Dataset, Model, MultiLabel, Regression
from probe.task import Task
from probe_models.networks import build
from probe_models.training.answers import answered, task_of
from probe_models.training.beginning import begin
from probe_models.training.loop import fit
from probe_models.training.objectives import learned_as
from probe_models.training.rows import split_numbers
from probe_models.training.run import Progress
from probe_models.training.schedules import SCHEDULES
from probe_models.training.settings import Settings
from probe_models.zoo import artefact
from probe_models.zoo.recipes import Recipe

MOST = 16  # checkpoints of a training


@dataclass(frozen=True)
class ZooTrainer:
    """A `probe.Trainer` by a recipe: its architecture from weights that the seed draws, its settings, other rows.

    Its models have checkpoints: the weights before each epoch up to the best one, which is kept, or before every few.
    """

    name: str
    recipe: Recipe
    device: torch.device
    progress: Progress

    def __call__(self, data: Dataset, seed: int = 0) -> Model:
        """A new network that has learned from these rows.

        Raises:
            DataError: if the architecture cannot take them.
        """
        kwargs = dict(self.recipe.kwargs)
        if "classes" in kwargs and data.classes:
            kwargs["classes"] = len(data.classes)
        network = build(self.recipe.architecture, kwargs)
        task, settings = task_for(data), self.recipe.settings
        objective = learned_as(task)
        learned, _ = split_numbers(len(data), settings.validation, data.name)
        begin(
            network,
            answered(data, task_of(settings, objective))[learned],
            settings,
            seed,
            None,
            initialise=None,
            objective=objective,
        )
        path = _Path(network, [settings.learning_rate * SCHEDULES[settings.schedule](0.0, settings)])
        done = fit(
            network,
            data,
            settings,
            device=self.device,
            seed=seed,
            progress=self.progress,
            initialise=False,
            objective=objective,
            on_epoch=path.keep,
        )
        model = artefact.as_model(network, data.space, task, f"{self.name} on {data.name}")
        step = torch.zeros(len(data), dtype=torch.float64)  # of rows that chose the best epoch, as they are in no batch
        step[learned] = 1 / (min(settings.batch_size, len(learned)) * _unit(task, settings, data.labels[learned]))
        return replace(model, training=(data.inputs, data.labels), checkpoints=path.until(done.best.number, step))


@dataclass
class _Path:
    """The weights of a network before each epoch of its training, and the learning rates then."""

    network: nn.Module
    rates: list[float]
    kept: list[Mapping[str, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._copy()

    def keep(self, line: Mapping[str, Any]) -> None:
        """Keep what an epoch led to."""
        self.rates.append(line["next_learning_rate"])
        self._copy()

    def until(self, best: int, step: Tensor) -> tuple[Checkpoint, ...]:
        """The checkpoints before the epochs up to the best one: of `MOST` at most, each for the epochs to the next."""
        # Between epochs a learning rate goes about straight from one to the other.
        rates = [(before + after) / 2 for before, after in zip(self.rates[:best], self.rates[1:], strict=False)]
        every = -(-best // MOST)
        return tuple(Checkpoint(self.kept[at], step * sum(rates[at : at + every])) for at in range(0, best, every))

    def _copy(self) -> None:
        self.kept.append({name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()})


def _unit(task: Task, settings: Settings, labels: Tensor) -> float:
    """What the squared errors of a regression are divided by as it learns: the variance of the labels."""
    if not isinstance(task, Regression) or settings.loss != "squared error":
        return 1.0
    return float(labels.double().var(correction=0)) or 1.0


def trainer(
    name: str, recipe: Recipe, settings: Settings | None, device: torch.device, progress: Progress
) -> ZooTrainer:
    """A trainer by a recipe, with other settings where some are given."""
    return ZooTrainer(name, replace(recipe, settings=settings or recipe.settings), device, progress)


def task_for(data: Dataset) -> Task:
    """What the labels of a data set are, by their form: numbers, several labels, or classes."""
    if data.labels.is_floating_point():
        return Regression()
    return MultiLabel(data.classes) if data.labels.ndim > 1 else Classification(data.classes)
