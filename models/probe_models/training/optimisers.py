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

Groups = list[dict[str, Any]]

# Of groups of weights, the rate and the momentum.
OPTIMISERS: dict[str, Callable[[Groups, float, float], Optimizer]] = {
    "sgd": lambda groups, rate, momentum: SGD(groups, lr=rate),
    "momentum": lambda groups, rate, momentum: SGD(groups, lr=rate, momentum=momentum),
    "nesterov": lambda groups, rate, momentum: SGD(groups, lr=rate, momentum=momentum, nesterov=True),
    "adagrad": lambda groups, rate, momentum: Adagrad(groups, lr=rate),
    "rmsprop": lambda groups, rate, momentum: RMSprop(groups, lr=rate),
    "adam": lambda groups, rate, momentum: Adam(groups, lr=rate, betas=(momentum, 0.999)),
    "adamw": lambda groups, rate, momentum: AdamW(groups, lr=rate, betas=(momentum, 0.999)),
}


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
