"""Dropout that draws from a source of its own."""

import torch
from torch import Tensor, nn

from probe.tensors import generator


class Dropout(nn.Module):
    """While training, put each number to 0 with chance `part` and divide the others by 1 - part (arXiv:1207.0580).

    So its mean is what it was. In eval mode nothing changes. torch's own draws from the global random state; this one
    draws what follows from the seed that it was last given, on the device of its inputs.
    """

    def __init__(self, part: float) -> None:
        super().__init__()
        self.part = part
        self.reseed(0)

    def reseed(self, seed: int) -> None:
        """Begin the draws of that seed."""
        self.seed = seed
        self.random = generator(seed, torch.device("cpu"))

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or not self.part:
            return inputs
        if self.random.device != inputs.device:
            self.random = generator(self.seed, inputs.device)
        kept = torch.rand(inputs.shape, generator=self.random, device=inputs.device) >= self.part
        return inputs * (kept / (1 - self.part)).to(inputs.dtype)

    def extra_repr(self) -> str:
        return f"part={self.part}"
