"""Sources of randomness that are pure functions of a seed and of where training stands.

So nothing has to be remembered of them: a run that is taken up at any step draws what it would have drawn.
"""

import hashlib

import torch

from probe.tensors import generator

CPU = torch.device("cpu")


def source(seed: int, purpose: str, *place: int) -> torch.Generator:
    """A source on the CPU for one purpose at one place, such as an epoch and a step; a seed means the same anywhere."""
    return generator(number(seed, purpose, *place), CPU)


def number(seed: int, purpose: str, *place: int) -> int:
    """A seed of 63 bits for one purpose at one place."""
    text = "/".join(map(str, (seed, purpose, *place)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
