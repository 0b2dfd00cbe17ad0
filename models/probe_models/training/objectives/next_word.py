"""The objective of language models."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probe import Dataset
from probe.errors import PlanError
from probe_models.networks.gpt import GPT
from probe_models.training.objectives.classification import Classification
from probe_models.training.objectives.objective import Batch
from probe_models.training.settings import Settings


class NextWord(Classification):
    """The cross-entropy of the next word after each word of a row, whose label is the word after its last.

    Words that are no class are not told. Validation rows are judged by their labels alone.
    """

    network: GPT

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        if not isinstance(network, GPT):
            raise PlanError(
                f"Settings.loss is {settings.loss!r}, which trains {GPT.__name__}; {type(network).__name__} takes "
                "another loss, such as 'cross-entropy'"
            )
        for name in ("class_weights", "balance"):
            if getattr(settings, name):
                raise PlanError(f"Settings.{name} does nothing for the loss {settings.loss!r}; leave it out")
        super().__init__(network, settings.changed({"loss": "cross-entropy"}), data)
        self.settings = settings

    def forward(self, batch: Batch) -> Tensor:
        logits = self.network.at_places(self.network.embed(batch.inputs))
        following = torch.cat([batch.inputs[:, 1:] - self.network.first, batch.targets[:, None]], 1)
        told = following >= 0
        losses = F.cross_entropy(
            logits.mT, following.clamp(min=0), label_smoothing=self.settings.label_smoothing, reduction="none"
        )
        return (losses * told).sum(1) / told.sum(1)
