"""How far a model is ahead of a baseline on the same rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.statistics import bootstrapped, mean, proportion

SEED = 0  # of the bootstrap

Right = NDArray[np.bool_]  # (rows,) whether each was answered rightly


def lead(name: str, ours: Right, theirs: Right) -> dict[str, Any]:
    """The accuracy of a baseline, and that of the model less it.

    Both have 95 % intervals: Wilson's, and of the paired difference a bootstrap's.
    """
    base, ahead = proportion(theirs), bootstrapped(ours.astype(float) - theirs, mean, seed=SEED)
    return {
        name: base.value,
        f"{name}_low": base.low,
        f"{name}_high": base.high,
        f"ahead_of_{name}": ahead.value,
        f"ahead_of_{name}_low": ahead.low,
        f"ahead_of_{name}_high": ahead.high,
    }
