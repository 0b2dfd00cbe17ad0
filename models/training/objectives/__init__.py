"""What training makes small. `Settings.loss` names it; each loss belongs to one objective."""

from torch import nn

from models.training.losses import LOSSES
from models.training.objectives.classification import Classification
from models.training.objectives.elbo import Elbo
from models.training.objectives.game import Game
from models.training.objectives.objective import Batch, Judgement, Objective
from models.training.objectives.reconstruction import Reconstruction
from models.training.settings import Settings
from probe import Dataset

OBJECTIVES: dict[str, type[Objective]] = dict.fromkeys(LOSSES, Classification) | {
    "reconstruction": Reconstruction,
    "elbo": Elbo,
    "game": Game,
}


def objective_of(network: nn.Module, settings: Settings, data: Dataset) -> Objective:
    """The objective that the settings name, over a network and the data that it is to learn."""
    return OBJECTIVES[settings.loss](network, settings, data)


__all__ = ["OBJECTIVES", "Batch", "Judgement", "Objective", "objective_of"]
