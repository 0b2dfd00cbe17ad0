"""The objective of variational autoencoders."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from probe import Dataset
from probe.tensors import rows_per_pass, spans
from probe_models.networks.vae import VariationalAutoEncoder
from probe_models.training.objectives.objective import Batch, Evaluation
from probe_models.training.objectives.reconstruction import errors
from probe_models.training.objectives.unlabelled import Unlabelled
from probe_models.training.randomness import source


class Elbo(Unlabelled):
    """The negative evidence lower bound in nats (arXiv:1312.6114), by one draw of each row's code."""

    kind = VariationalAutoEncoder
    network: VariationalAutoEncoder

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        inputs = self.augment(batch.inputs, random)
        return replace(batch, inputs=inputs, noise=_noise(self.network, inputs, random))

    def forward(self, batch: Batch) -> Tensor:
        assert batch.noise is not None
        return -self.network.elbo(batch.inputs, batch.noise)

    @torch.no_grad()
    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The same without augmentation, with fixed draws."""
        assert isinstance(network, VariationalAutoEncoder)
        noise = _noise(network, data.inputs, source(0, "judge"))
        parts = spans(len(data), rows_per_pass(data.inputs))
        return Evaluation(-torch.cat([network.elbo(data.inputs[rows], noise[rows]) for rows in parts]).mean())

    def finalize(self, network: nn.Module, data: Dataset) -> None:
        """Calibrate the threshold of the detector."""
        assert isinstance(network, VariationalAutoEncoder)
        network.settle(errors(network, data.inputs))


def _noise(network: VariationalAutoEncoder, inputs: Tensor, random: torch.Generator) -> Tensor:
    return torch.randn(len(inputs), network.code, generator=random, device=random.device).to(inputs)
