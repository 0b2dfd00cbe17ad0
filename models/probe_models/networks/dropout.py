"""Dropout with its own random generator."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe.tensors import generator


class Dropout(nn.Module):
    """In training, set each number to 0 with probability `part` and divide the others by 1 - part (arXiv:1207.0580).

    This keeps the mean. In eval mode nothing changes. Unlike torch's dropout, which draws from the global random state,
    this one draws from the seed that it was last given, on the device of its inputs.
    """

    def __init__(self, part: float) -> None:
        super().__init__()
        self.part = part
        self.reseed(0)

    def reseed(self, seed: int, rows: range | None = None) -> None:
        """Seed the next draws. `rows` selects the rows of a larger batch; by default all.

        The draws of a row do not depend on the process: each process draws for all `rows.stop` rows of the batch.
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
        # The rows may be repeated: clean and adversarial.
        shape = len(inputs) // len(self.rows), self.rows.stop, *inputs.shape[1:]
        drawn = torch.rand(shape, generator=self.random, device=inputs.device)
        return drawn[:, self.rows.start :: self.rows.step].flatten(0, 1)

    def extra_repr(self) -> str:
        return f"part={self.part}"
