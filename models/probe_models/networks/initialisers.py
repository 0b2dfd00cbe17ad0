"""Distributions of initial weights.

Variances, for a layer with fan-in `in` and fan-out `out`:

| name | variance |
|---|---|
| uniform | 1 / (3 in), torch's default |
| he | 2 / in (arXiv:1502.01852), normal: preserves the variance through ReLU |
| xavier | 2 / (in + out) (Glorot and Bengio 2010), normal: preserves it forward and backward |
| orthogonal | rows or columns that are orthogonal and of length 1 (arXiv:1312.6120) |
| truncated normal | 1 / in after truncation at two deviations of the original normal |
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Weight = Float[Tensor, "outputs inputs *kernel"]
Initialiser = Callable[[Weight, torch.Generator], None]
CUT = 0.87962566103423978  # the deviation of a standard normal that is cut at -2 and 2


def uniform(weight: Weight, generator: torch.Generator) -> None:
    """Fill in a uniform draw between -1 and 1 over the root of the number of inputs."""
    bound = 1 / math.sqrt(weight[0].numel())
    nn.init.uniform_(weight, -bound, bound, generator=generator)


def he(weight: Weight, generator: torch.Generator) -> None:
    """Fill in a normal draw of variance 2 / in."""
    nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


def xavier(weight: Weight, generator: torch.Generator) -> None:
    """Fill in a normal draw of variance 2 / (in + out)."""
    nn.init.xavier_normal_(weight, generator=generator)


@torch.no_grad()
def orthogonal(weight: Weight, generator: torch.Generator) -> None:
    """Fill in a random orthogonal matrix of outputs by all else, or a part of one if it is not square."""
    # torch cannot flatten a kernel whose channels come last in memory.
    weight.copy_(nn.init.orthogonal_(torch.empty(weight.shape), generator=generator))


def truncated_normal(weight: Weight, generator: torch.Generator) -> None:
    """Fill in a normal draw, cut at two deviations, of variance 1 / in."""
    deviation = 1 / math.sqrt(weight[0].numel()) / CUT
    nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation, generator=generator)


INITIALISERS: dict[str, Initialiser] = {
    "uniform": uniform,
    "he": he,
    "xavier": xavier,
    "orthogonal": orthogonal,
    "truncated normal": truncated_normal,
}
