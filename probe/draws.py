"""Random numbers of an example: they follow from a seed and its own values, not from its place among others.

The same on every device, whatever the batch: each number is a hash of its place and of the bits of the example
(splitmix64, Steele et al. 2014).
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_GOLD, _FIRST, _SECOND = (number - 2**64 for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def keys(rows: Tensor, seed: int) -> Tensor:
    """A whole number for each example, (batch,), from the seed and the values of the example."""
    flat = rows.flatten(1)
    flat = (flat + 0.0 if flat.is_floating_point() else flat).contiguous()  # -0 is 0
    bits = flat.view(_BITS[flat.element_size()]).to(torch.int64)
    return again(_mixed(bits + _places(bits.shape[1], rows.device)).sum(1), seed)


def again(keyed: Tensor, number: int) -> Tensor:
    """Other keys of the same examples, for the so-manieth time that they draw."""
    return _mixed(keyed + (number + 1) * _SECOND % 2**63)


def uniform(keyed: Tensor, like: Tensor, more: int = 0) -> Tensor:
    """Numbers between 0 and 1, both excluded, one for each coordinate of an example and some more, (batch, numbers)."""
    count = like[0].numel() + more
    bits = _mixed(keyed[:, None] + _places(count, like.device)) >> 40 & 0xFFFFFF
    return (bits.to(like.dtype) + 0.5) / 2**24


def _places(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, device=device) * _GOLD


def _mixed(numbers: Tensor) -> Tensor:
    numbers = (numbers ^ (numbers >> 30 & 2**34 - 1)) * _FIRST
    numbers = (numbers ^ (numbers >> 27 & 2**37 - 1)) * _SECOND
    return numbers ^ (numbers >> 31 & 2**33 - 1)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """A block in which global random numbers start at a seed, and go on afterwards as if it had not been."""
    plain, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002  other packages draw from it
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(numbers)  # noqa: NPY002
