"""A moving average of a network's weights."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from models.networks.network import Network


class Average:
    """A network whose weights follow those of another: a <- part a + (1 - part) w (arXiv:1703.01780).

    It begins where the other does, and follows running statistics in the same way; counts it takes as they are.
    """

    def __init__(self, network: Network, part: float) -> None:
        self.network, self.part = deepcopy(network), part

    @torch.no_grad()
    def follow(self, theirs: Mapping[str, Tensor]) -> None:
        """Take in the weights after a step."""
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - self.part)
            else:
                mine.copy_(theirs[name])
