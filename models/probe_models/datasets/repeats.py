"""Repeats: which letter comes next? Random letters that are repeated, so that looking back tells.

A row begins with 4 to 11 different letters in random order, which are then repeated until there are 24. The next letter
is the one that came after the last letter before: what an induction head copies (arXiv:2209.11895). How many letters
are repeated differs between rows, so that no fixed distance tells, and each letter is as frequent as any other.
"""

from functools import cache

import numpy as np
import torch

from probe import Dataset, Space
from probe.errors import PlanError
from probe_models.datasets.tokens import SPECIAL

NAME = "repeats"
CLASSES = tuple("abcdefghijklmnopqrstuvwxyz")
FAVOURABLE = ""  # no outcome is favourable
LENGTH, SHORTEST, LONGEST = 24, 4, 11  # of a row, and of what is repeated
COUNTS = {"train": 8_000, "test": 2_000}
SEEDS = {"train": 1, "test": 2}
SOURCE = "generated from a seed: 4 to 11 random letters, repeated, after the sequences of arXiv:2209.11895"


def read(split: str) -> Dataset:
    """The `train` or `test` split, as ids of letters (rows, 24); the label is the letter that comes next."""
    if split not in COUNTS:
        raise PlanError(f"repeats has the splits {', '.join(COUNTS)}; got {split!r}")
    # Only numbers from 0 to 1 are drawn: numpy may change how it makes others of them.
    count, random = COUNTS[split], np.random.Generator(np.random.PCG64(SEEDS[split])).random
    letters = random((count, len(CLASSES))).argsort(1)
    periods = SHORTEST + (random(count) * (LONGEST - SHORTEST + 1)).astype(int)
    found = np.take_along_axis(letters, np.arange(LENGTH + 1) % periods[:, None], 1)
    return Dataset(
        inputs=torch.from_numpy(found[:, :LENGTH] + len(SPECIAL)),
        labels=torch.from_numpy(found[:, LENGTH].copy()),
        space=space(),
        classes=CLASSES,
        name=f"repeats {split}",
        source=SOURCE,
    )


@cache
def space() -> Space:
    """Ids of letters; where one is absent there is id 0, whose embedding is 0."""
    words = (*SPECIAL, *CLASSES)
    return Space(bounds=(0, len(words) - 1), words=words, reference=torch.zeros(1, LENGTH, dtype=torch.long))
