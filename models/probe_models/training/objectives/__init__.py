"""Objectives: what training minimises. `Settings.loss` names the loss; each loss belongs to one objective."""

from torch import nn

from probe import Dataset
from probe.conversion import shown
from probe.errors import PlanError
from probe.task import MultiLabel, Places, Task
from probe_models.training.losses import LOSSES
from probe_models.training.objectives.certified import Certified
from probe_models.training.objectives.classification import Classification
from probe_models.training.objectives.elbo import Elbo
from probe_models.training.objectives.game import Game
from probe_models.training.objectives.next_word import NextWord
from probe_models.training.objectives.objective import Batch, Evaluation, Objective
from probe_models.training.objectives.of_task import of_task
from probe_models.training.objectives.own import Loss, OwnLoss
from probe_models.training.objectives.reconstruction import Reconstruction
from probe_models.training.objectives.regression import LOSSES as NUMBERS
from probe_models.training.objectives.regression import Regression
from probe_models.training.settings import Settings

OBJECTIVES: dict[str, type[Objective]] = dict.fromkeys(LOSSES, Classification) | {
    "next word": NextWord,
    "reconstruction": Reconstruction,
    "elbo": Elbo,
    "game": Game,
    **dict.fromkeys(NUMBERS, Regression),
}


Own = type[Objective] | Loss | Task  # a custom objective, or only its loss, or a task


def objective_of(network: nn.Module, settings: Settings, data: Dataset, own: Own | None = None) -> Objective:
    """The objective for a network and its data: a custom one, or the one that the settings name."""
    if own is None and settings.certified:
        return Certified(network, settings, data)
    if own is None:
        return OBJECTIVES[settings.loss](network, settings, data)
    if isinstance(own, Task):
        return of_task(network, settings, data, own)
    if isinstance(own, type) and issubclass(own, Objective):
        return own(network, settings, data)
    if isinstance(own, type) or not callable(own):
        made = isinstance(own, type) and issubclass(own, Task | nn.Module)
        raise PlanError(
            f"objective = {shown(own)}, expected a task such as MultiLabel((NAME, ...)), a loss(outputs, labels) -> "
            "a number for each row, or a subclass of Objective; "
            + (f"write {own.__name__}(...)" if made else "a loss of probe's own is named in Settings(loss=...)")
        )
    return OwnLoss(network, settings, data, own)


def learned_as(task: Task) -> Task | None:
    """What `fit` is to be told of labels; None where `settings.loss` says enough, as of classes and of numbers."""
    return task if isinstance(task, MultiLabel | Places) else None


__all__ = ["OBJECTIVES", "Batch", "Evaluation", "Objective", "Own", "OwnLoss", "learned_as", "objective_of"]
