"""The base class of the zoo's networks."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe.tensors import generator
from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Examples, Ids, Inputs, Logits, Tokens


class Network(nn.Module):
    """A network that takes inputs in the user's units, normalises them itself, and returns logits."""

    @abstractmethod
    def forward(self, inputs: Inputs) -> Logits:
        """The logits of inputs."""

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        """Set what depends on the training inputs, and initialise weights outside torch's layers."""

    def adapt_answers(self, labels: Examples) -> None:
        """Set the unit of the outputs from the training labels; only regression networks have one."""

    def logits(self, inputs: Inputs) -> Logits:
        """Logits of inputs as they are in the dataset."""
        return self(inputs)

    def reseed(self, seed: int, rows: range | None = None) -> None:
        """Seed the random draws of the next training step, by dropout.

        `rows` are those of this process, if several share a batch.
        """
        reseed(self, seed, rows)


def reseed(module: nn.Module, seed: int, rows: range | None = None) -> None:
    """The same for any module; torch's own dropout is not affected."""
    random = generator(seed, torch.device("cpu"))
    for part in module.modules():
        if isinstance(part, Dropout):
            part.reseed(int(torch.randint(2**62, (), generator=random)), rows)


def logits_of(network: nn.Module, inputs: Examples) -> Logits:
    """The logits of inputs as they are in the dataset."""
    found: Tensor = network.logits(inputs) if isinstance(network, Network) else network(inputs)
    return found


class TokenNetwork(Network):
    """A classifier of texts: inputs are token ids, and `forward` takes their embeddings."""

    @abstractmethod
    def embed(self, ids: Ids) -> Tokens:
        """The embeddings of token ids; an absent word, 0, has the zero vector."""

    def logits(self, inputs: Ids) -> Logits:
        return self(self.embed(inputs))


class Standardise(nn.Module):
    """Standardise the brightness of images: (x - mean) / deviation."""

    mean: Float[Tensor, ""]
    deviation: Float[Tensor, ""]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def forward(self, images: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (images - self.mean) / self.deviation

    def adapt(self, images: Float[Tensor, "*shape"]) -> None:
        """Take mean and deviation from the training images."""
        self.mean.fill_(images.mean())
        deviation = images.std()
        # If all are equal there is nothing to scale.
        self.deviation.fill_(deviation if deviation > 0 else 1.0)
