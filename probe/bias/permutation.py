"""How often groups drawn at random from the same rows would differ as much."""

from collections.abc import Sequence

import numpy as np

from probe.bias.intervals import largest_gap
from probe.bias.validation import Ints


def permutation_p(strata: Sequence[tuple[Ints, Ints]], draws: int, seed: int) -> float:
    """Permutation p-value of the largest gap between groups, (1 + draws at least as large) / (1 + draws).

    Shuffling group membership over the rows of a stratum leaves the successes of each group with a multivariate
    hypergeometric law, so counts are drawn instead of rows. One sided by nature: max - min has no sign.
    """
    generator = np.random.default_rng(seed)
    shuffled = [(generator.multivariate_hypergeometric(n, int(k.sum()), size=draws), n) for k, n in strata]
    # The slack keeps draws equal to the observed table from losing to rounding.
    reached = largest_gap(shuffled) >= largest_gap(strata) - 1e-12
    return (1 + int(reached.sum())) / (1 + draws)
