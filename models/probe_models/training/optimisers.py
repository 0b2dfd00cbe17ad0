"""How gradients become steps. With rate r, gradient g and weight w.

| name | step |
|---|---|
| sgd | w <- w - r g |
| momentum | v <- m v + g, w <- w - r v |
| nesterov | v <- m v + g, w <- w - r (g + m v) |
| adagrad | s <- s + g^2, w <- w - r g / sqrt(s) |
| rmsprop | s <- 0.99 s + 0.01 g^2, w <- w - r g / sqrt(s) |
| adam (arXiv:1412.6980) | means of g (m of the old) and g^2 (0.999), w <- w - r mean / sqrt(mean of squares) |
| adamw (arXiv:1711.05101) | w <- w - r d w, then as adam |

Weight decay d is decoupled in adamw; in all others it adds d w to the gradient, as an L2 penalty does.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from probe_models.training.settings import Settings

Groups = list[dict[str, Any]]

# Of groups of weights, the rate and the momentum; fused=True moves all weights by one kernel, where there is one.
OPTIMISERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": lambda groups, rate, momentum, **fused: SGD(groups, lr=rate, **fused),
    "momentum": lambda groups, rate, momentum, **fused: SGD(groups, lr=rate, momentum=momentum, **fused),
    "nesterov": lambda groups, rate, momentum, **fused: SGD(groups, lr=rate, momentum=momentum, nesterov=True, **fused),
    "adagrad": lambda groups, rate, momentum, **fused: Adagrad(groups, lr=rate, **fused),
    "rmsprop": lambda groups, rate, momentum, **fused: RMSprop(groups, lr=rate),
    "adam": lambda groups, rate, momentum, **fused: Adam(groups, lr=rate, betas=(momentum, 0.999), **fused),
    "adamw": lambda groups, rate, momentum, **fused: AdamW(groups, lr=rate, betas=(momentum, 0.999), **fused),
}


def optimiser_of(settings: Settings, network: nn.Module) -> Optimizer:
    """The optimiser of a network's weights: fused where its device has that, but not on a CPU.

    There it rounds otherwise, and the bundled networks would be others.
    """
    make = OPTIMISERS[settings.optimiser]
    if next(network.parameters()).device.type != "cpu":
        try:
            return make(groups(network, settings.weight_decay), settings.learning_rate, settings.momentum, fused=True)
        except RuntimeError:  # torch's answer where the device has none
            pass
    return make(groups(network, settings.weight_decay), settings.learning_rate, settings.momentum)


def matrices(network: nn.Module) -> list[nn.Parameter]:
    """The weights that mix inputs. Scales, shifts and positions, which are not among them, need not be small."""
    return [p for name, p in network.named_parameters() if _is_matrix(name, p)]


def groups(network: nn.Module, weight_decay: float) -> Groups:
    """The weights of a network, of which decay holds back only those that mix inputs."""
    others = [p for name, p in network.named_parameters() if not _is_matrix(name, p)]
    return [{"params": matrices(network), "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def shrink(weights: Iterable[Tensor], amount: float) -> None:
    """Move each weight towards 0 by that amount, and no further: the proximal step of an L1 penalty (arXiv:1108.0775).

    So weights that nothing holds become exactly 0, which steps along the sign of a weight do not achieve.
    """
    for weight in weights:
        weight.copy_(weight.sign() * (weight.abs() - amount).clamp(min=0))


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return name.endswith("weight") and parameter.ndim > 1
