"""The global random states, which foreign code may draw from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

CPU = torch.device("cpu")


@contextmanager
def fixed(seed: int, device: torch.device = CPU) -> Iterator[None]:
    """Let all that is drawn from global random states in the block follow from the seed; they stay what they were.

    That is torch's on the CPU and on the device, numpy's, and Python's.
    """
    python, arrays, here = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # see above
    accelerator = None if device.type == "cpu" else getattr(torch, device.type)
    # A device without an index is the current one.
    place = [device.index] if device.index is not None else []
    there = accelerator.get_rng_state(*place) if accelerator else None
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  # see above
        # Not torch.manual_seed, which seeds all devices of this machine.
        torch.default_generator.manual_seed(seed)
        if accelerator:
            _seed(seed, device)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002  # see above
        torch.set_rng_state(here)
        if accelerator:
            accelerator.set_rng_state(there, *place)


def _seed(seed: int, device: torch.device) -> None:
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    else:
        getattr(torch, device.type).manual_seed(seed)
