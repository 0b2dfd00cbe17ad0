"""Training as a network of the zoo was trained, on any rows of that form."""

from dataclasses import dataclass, replace

import torch

from probe import Classification, Dataset, Model, MultiLabel, Regression
from probe.task import Task
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.objectives import learned_as
from probe_models.training.run import Progress
from probe_models.training.settings import Settings
from probe_models.zoo import artefact
from probe_models.zoo.recipes import Recipe


@dataclass(frozen=True)
class ZooTrainer:
    """A `probe.Trainer` by a recipe: its architecture from weights that the seed draws, its settings, other rows."""

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
        task = task_for(data)
        fit(
            network,
            data,
            self.recipe.settings,
            device=self.device,
            seed=seed,
            progress=self.progress,
            objective=learned_as(task),
        )
        model = artefact.as_model(network, data.space, task, f"{self.name} on {data.name}")
        return replace(model, training=(data.inputs, data.labels))


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
