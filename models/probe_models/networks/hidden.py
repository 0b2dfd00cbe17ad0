"""Hidden layers: linear, normalisation, activation, dropout."""

from collections.abc import Callable

from torch import nn

from probe_models.networks.dropout import Dropout

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky relu": nn.LeakyReLU,  # 0.01 x below 0
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
# Of the numbers of each row (rows, width): over the batch (arXiv:1502.03167) or over the row (arXiv:1607.06450).
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
# Of maps (rows, channels, height, width): of each channel over the batch, or of each image over all of its maps.
MAP_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
}


def linear(inputs: int, outputs: int, norm: str, activation: str, dropout: float) -> nn.Sequential:
    """The layer h = dropout(activation(norm(W x + b)))."""
    return nn.Sequential(nn.Linear(inputs, outputs), NORMS[norm](outputs), ACTIVATIONS[activation](), Dropout(dropout))
