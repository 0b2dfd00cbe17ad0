"""What the zoo's networks have in common."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe.tensors import generator
from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Examples, Ids, Inputs, Logits, Tokens


class Network(nn.Module):
    """A classifier that knows the scale of its inputs: it takes them in the user's units and returns logits."""

    @abstractmethod
    def forward(self, inputs: Inputs) -> Logits:
        """The logits of inputs."""

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        """Fill in what depends on the training inputs, and the weights that belong to no layer of torch's: if any."""

    def adapt_answers(self, labels: Examples) -> None:
        """Fill in the unit of the answers from the training labels; only a network of numbers has one."""

    def logits(self, inputs: Inputs) -> Logits:
        """Logits of inputs as they are in the data."""
        return self(inputs)

    def reseed(self, seed: int, rows: range | None = None) -> None:
        """Let all that is drawn in the next training step, by dropout, follow from the seed alone.

        Of a batch that several processes share, `rows` are those of this one.
        """
        reseed(self, seed, rows)


def reseed(module: nn.Module, seed: int, rows: range | None = None) -> None:
    """The same for any module; torch's own dropout is not reached by it."""
    random = generator(seed, torch.device("cpu"))
    for part in module.modules():
        if isinstance(part, Dropout):
            part.reseed(int(torch.randint(2**62, (), generator=random)), rows)


def logits_of(network: nn.Module, inputs: Examples) -> Logits:
    """The logits of inputs as they are in the data."""
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
        # Where all are the same there is nothing to scale.
        self.deviation.fill_(deviation if deviation > 0 else 1.0)
