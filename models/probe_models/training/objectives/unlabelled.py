"""What objectives that look at the inputs alone have in common."""

from abc import ABC
from typing import ClassVar

from torch import nn

from probe import Dataset
from probe.errors import PlanError
from probe_models.networks.network import Network
from probe_models.training.objectives.objective import Objective
from probe_models.training.settings import Settings


class Unlabelled(Objective, ABC):
    """An objective for one kind of network; it refuses settings that would do nothing without labels."""

    kind: ClassVar[type[Network]]
    refused: ClassVar[tuple[str, ...]] = ("label_smoothing", "class_weights", "mixup", "adversary", "balance")

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        super().__init__(network, settings, data)
        if not isinstance(network, self.kind):
            raise PlanError(
                f"Settings.loss is {settings.loss!r}, which trains {self.kind.__name__}; "
                f"{type(network).__name__} takes another loss, such as 'cross-entropy'"
            )
        for name in self.refused:
            if getattr(settings, name):
                raise PlanError(f"Settings.{name} does nothing for the loss {settings.loss!r}; leave it out")
