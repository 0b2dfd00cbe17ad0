"""A moving average of a network's weights."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn


class Average:
    """A network whose weights follow those of another: a <- p a + (1 - p) w (arXiv:1703.01780).

    It begins where the other does, and follows running statistics in the same way; counts it takes as they are. With a
    warm-up, p is the lesser of `part` and (1 + t) / (10 + t) at step t, counted from 0. Without one, a part of part^t
    of the average after t steps is what the weights were before training.
    """

    def __init__(self, network: nn.Module, part: float, *, warmup: bool = True) -> None:
        self.network, self.part, self.warmup = deepcopy(network), part, warmup

    @torch.no_grad()
    def follow(self, theirs: Mapping[str, Tensor], step: int) -> None:
        """Take in the weights after a step, the number of those before it being `step`."""
        part = min(self.part, (1 + step) / (10 + step)) if self.warmup else self.part
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - part)
            else:
                mine.copy_(theirs[name])
