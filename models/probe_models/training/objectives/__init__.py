"""What training makes small. `Settings.loss` names it; each loss belongs to one objective."""

from torch import nn

from probe import Dataset
from probe_models.training.losses import LOSSES
from probe_models.training.objectives.classification import Classification
from probe_models.training.objectives.elbo import Elbo
from probe_models.training.objectives.game import Game
from probe_models.training.objectives.objective import Batch, Evaluation, Objective
from probe_models.training.objectives.reconstruction import Reconstruction
from probe_models.training.settings import Settings

OBJECTIVES: dict[str, type[Objective]] = dict.fromkeys(LOSSES, Classification) | {
    "reconstruction": Reconstruction,
    "elbo": Elbo,
    "game": Game,
}


def objective_of(network: nn.Module, settings: Settings, data: Dataset) -> Objective:
    """The objective that the settings name, over a network and the data that it is to learn."""
    return OBJECTIVES[settings.loss](network, settings, data)


__all__ = ["OBJECTIVES", "Batch", "Evaluation", "Objective", "objective_of"]
