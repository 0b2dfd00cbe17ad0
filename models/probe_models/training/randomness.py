"""Sources of randomness that are pure functions of a seed and of where training stands.

So nothing has to be remembered of them: a run that is taken up at any step draws what it would have drawn.
"""

import hashlib

import torch

from probe.tensors import generator

CPU = torch.device("cpu")


def source(seed: int, purpose: str, *place: int, device: torch.device = CPU) -> torch.Generator:
    """A source for one purpose at one place, such as an epoch and a step.

    On the CPU a seed means the same anywhere. What each step draws is drawn on an accelerator itself, as a copy to it
    would be waited for.
    """
    return generator(number(seed, purpose, *place), device)


def beside(random: torch.Generator) -> torch.Generator:
    """A source on the CPU: this one, or where it is an accelerator's another of the same seed."""
    return random if random.device.type == "cpu" else generator(random.initial_seed(), CPU)


def number(seed: int, purpose: str, *place: int) -> int:
    """A seed of 63 bits for one purpose at one place."""
    text = "/".join(map(str, (seed, purpose, *place)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
