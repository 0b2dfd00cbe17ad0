"""A moving average of a network's weights."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of a network's weights: a <- p a + (1 - p) w (arXiv:1703.01780).

    It starts at the network's weights and averages running statistics too; counts are copied. With a warm-up, p is the
    smaller of `part` and (1 + t) / (10 + t) at step t, counted from 0. Without one, the initial weights keep the weight
    part^t in the average after t steps.
    """

    def __init__(self, network: nn.Module, part: float, *, warmup: bool = True) -> None:
        self.network, self.part, self.warmup = deepcopy(network), part, warmup

    @torch.no_grad()
    def follow(self, theirs: Mapping[str, Tensor], step: int) -> None:
        """Update the average with the weights after a step; `step` counts the steps before it."""
        part = min(self.part, (1 + step) / (10 + step)) if self.warmup else self.part
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - part)
            else:
                mine.copy_(theirs[name])
