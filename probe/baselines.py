"""Baselines by name, for images and series: black, each input's mean, a blurred copy of it, or random values."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import torch
from torch import Tensor, nn

from probe.errors import Unsupported
from probe.forms import Image, Series
from probe.shapes import Inputs, References
from probe.space import Space
from probe.tensors import generator


@dataclass(frozen=True)
class Baseline:
    """What absent features look like.

    `black` is the lower bound everywhere; `mean` the mean of each channel of an input over its places; `blur` the input
    after a Gaussian filter, whose edges are repeated; `random` rows that are uniform within the bounds, and that all
    inputs share. Channels stay apart.
    """

    named: Literal["black", "mean", "blur", "random"]
    sigma: float = 4.0  # of the filter, in pixels or measurements
    draws: int = 1  # random rows
    seed: int = 0

    @property
    def own(self) -> bool:
        """Whether each input has one of its own."""
        return self.named in ("mean", "blur")

    def rows(self, space: Space, inputs: Inputs, who: str, instead: str) -> References:
        """One row for each input where each has its own, else the rows that all of them share.

        Raises:
            Unsupported: if inputs are neither images nor series, or the bounds that it needs are infinite. The message
                says `who` wanted it, and what to do `instead`.
        """
        form = space.form_of(inputs)
        if not isinstance(form, Image | Series):
            raise Unsupported(
                f'{who} with baseline="{self.named}" needs images or series, but these inputs are {form.read_as}; '
                f"{instead}"
            )
        if self.named == "mean":
            return _means(inputs)
        return blurred(inputs, self.sigma) if self.named == "blur" else self._shared(space, inputs, who)

    def _shared(self, space: Space, inputs: Inputs, who: str) -> References:
        low, high = (torch.as_tensor(bound) for bound in space.bounds)
        needed = (low,) if self.named == "black" else (low, high)
        if not all(bool(each.isfinite().all()) for each in needed):
            raise Unsupported(
                f'{who} with baseline="{self.named}" needs finite bounds, and those of the space are infinite; set '
                "Space(bounds=(low, high)), or baseline to mean or blur"
            )
        low = low.to(inputs).expand(inputs.shape[1:])[None]
        if self.named == "black":
            return low.contiguous()
        source = generator(self.seed, torch.device("cpu"))
        drawn = torch.rand(self.draws, *inputs.shape[1:], generator=source).to(inputs)
        return low + drawn * (high.to(inputs).expand(inputs.shape[1:]) - low)


def _means(inputs: Inputs) -> Inputs:
    """The mean of each channel over its places, at each of them."""
    return inputs.mean(tuple(range(2, inputs.ndim)), keepdim=True).expand(inputs.shape).contiguous()


def blurred(inputs: Inputs, sigma: float) -> Inputs:
    """Inputs after a Gaussian filter of three standard deviations along each axis of places; edges are repeated."""
    reach = ceil(3 * sigma)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float64) ** 2) / (2 * sigma**2))
    weights = (kernel / kernel.sum()).to(inputs)
    found = inputs
    for axis in range(2, inputs.ndim):
        lines = found.movedim(axis, -1)
        flat: Tensor = lines.reshape(-1, 1, lines.shape[-1])
        padded = nn.functional.pad(flat, (reach, reach), mode="replicate")
        found = nn.functional.conv1d(padded, weights[None, None]).view(lines.shape).movedim(-1, axis)
    return found.contiguous()
