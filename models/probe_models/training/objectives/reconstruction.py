"""The objective of autoencoders."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from probe import Dataset
from probe.tensors import rows_per_pass, spans
from probe_models.networks.detector import Detector
from probe_models.training.objectives.objective import Batch, Evaluation
from probe_models.training.objectives.unlabelled import Unlabelled


class Reconstruction(Unlabelled):
    """The mean squared error between the reconstruction of augmented inputs and the clean inputs.

    So the network learns to undo `Settings.augment`, such as noise (doi:10.1145/1390156.1390294).
    """

    kind = Detector
    network: Detector

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        return replace(batch, inputs=self.augment(batch.inputs, random), targets=batch.inputs)

    def forward(self, batch: Batch) -> Tensor:
        return (batch.targets - self.network.reconstruct(batch.inputs)).square().flatten(1).mean(1)

    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The error without augmentation."""
        assert isinstance(network, Detector)
        return Evaluation(errors(network, data.inputs).mean())

    def finalize(self, network: nn.Module, data: Dataset) -> None:
        """Calibrate the threshold of the detector."""
        assert isinstance(network, Detector)
        network.settle(errors(network, data.inputs))


@torch.no_grad()
def errors(network: Detector, images: Tensor) -> Tensor:
    """The errors (rows,) of images, in passes that fit in memory."""
    return torch.cat([network.errors(images[rows]) for rows in spans(len(images), rows_per_pass(images))])
