"""Intervals of a share that hold at every look, so that one may stop as soon as a verdict is decided."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe import special
from probe.errors import RangeError
from probe.statistics import Estimate, Floats

PRIOR = 0.5  # both numbers of the beta distribution that wealth is mixed over
HALVINGS = 50  # of the interval that an end lies in, down to the last digit


def anytime(hits: ArrayLike, trials: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The interval of a share after each of several looks, elementwise; all of them hold at once with this confidence.

    It is the set of shares against which a bet has not multiplied its stake by 1 / (1 - level): the mixture of all
    shares by a beta distribution (Robbins 1970; Ville's inequality). At one number of trials it is 1.7 to 1.9
    times as wide as Wilson's, which holds only where that number was fixed before. Trials must be independent and of
    one share.

    Args:
        hits: the trials so far that succeeded.
        trials: all trials so far; without any, the interval is [0, 1].
        level: the confidence, over all looks together.

    Raises:
        RangeError: if there are more hits than trials, fewer than none, or the level is not between 0 and 1.

    Example:
        >>> low, high = anytime([9, 90, 900], [10, 100, 1000])
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([0.456, 0.772, 0.862], [1.0, 0.971, 0.931])
    """
    k, n = np.broadcast_arrays(np.asarray(hits, dtype=float), np.asarray(trials, dtype=float))
    if not 0 < level < 1:
        raise RangeError(f"level = {level}, expected a confidence between 0 and 1, such as 0.95")
    if ((k < 0) | (k > n)).any():
        raise RangeError("expected 0 to `trials` hits, and found others; give the counts so far of the same trials")
    most = np.asarray(special.betaln(k + PRIOR, n - k + PRIOR) - special.betaln(PRIOR, PRIOR) + np.log(1 - level))
    middle = np.where(n > 0, k / np.maximum(n, 1), 0.5)
    low, high = (_end(k, n, most, np.full(n.shape, end), middle) for end in (0.0, 1.0))
    return np.where(k == 0, 0.0, low), np.where(k == n, 1.0, high)


def _end(k: Floats, n: Floats, most: Floats, out: Floats, inside: Floats) -> Floats:
    """The last share, from inside to out, whose likelihood is still enough; by halving."""
    for _ in range(HALVINGS):
        half = (out + inside) / 2
        likelihood = special.xlogy(k, half) + special.xlog1py(n - k, -half)
        holds = likelihood > most
        inside, out = np.where(holds, half, inside), np.where(holds, out, half)
    return out


def anytime_proportion(hits: NDArray[Any]) -> Estimate:
    """The share of True (or 1) with its interval that holds at every look.

    >>> [round(number, 2) for number in anytime_proportion(np.array([1, 1, 1, 0, 1, 1, 1, 1, 1, 1]))]
    [0.9, 0.46, 1.0, 10]
    """
    low, high = anytime(hits.sum(), len(hits))
    return Estimate(float(hits.mean()), float(low), float(high), len(hits))


def first_decided(hits: ArrayLike, trials: ArrayLike, threshold: float, level: float = 0.95) -> NDArray[np.int64]:
    """At which look, from 0, the interval first lies on one side of a threshold; -1 where it never does.

    Args:
        hits: the successes so far at each look, (..., looks).
        trials: the trials so far, (looks,) or the same shape.
        threshold: the share that is asked about.
        level: the confidence, over all looks together.

    Example:
        >>> import numpy as np
        >>> looks = np.arange(1, 201)
        >>> first_decided(looks * 9 // 10, looks, 0.7).item()
        47
    """
    low, high = anytime(hits, trials, level)
    decided = (low >= threshold) | (high < threshold)
    return np.asarray(np.where(decided.any(-1), decided.argmax(-1), -1))
