"""Dropout that draws from a source of its own."""

import torch
from jaxtyping import Float
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

    def reseed(self, seed: int, rows: range | None = None) -> None:
        """Begin the draws of that seed. `rows` are those of a larger batch that come next; all unless given.

        The draws of a row do not depend on which process works on it: each draws for all `rows.stop` rows of the batch.
        """
        self.seed, self.rows = seed, rows
        self.random = generator(seed, torch.device("cpu"))

    def forward(self, inputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.training or not self.part:
            return inputs
        if self.random.device != inputs.device:
            self.random = generator(self.seed, inputs.device)
        kept = self._uniform(inputs) >= self.part
        return inputs * (kept / (1 - self.part)).to(inputs.dtype)

    def _uniform(self, inputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if self.rows is None:
            return torch.rand(inputs.shape, generator=self.random, device=inputs.device)
        # The rows may come several times over: as they are, and moved by an adversary.
        shape = len(inputs) // len(self.rows), self.rows.stop, *inputs.shape[1:]
        drawn = torch.rand(shape, generator=self.random, device=inputs.device)
        return drawn[:, self.rows.start :: self.rows.step].flatten(0, 1)

    def extra_repr(self) -> str:
        return f"part={self.part}"
