"""Means of each group with their intervals, by which a regression is compared.

No interval of a mean holds for every distribution, so these rest on an approximation. Student's t alone misses 14 % of
the time, all on one side, for 12 rows of lognormal errors. So a mean is given as many standard errors as the most of:

- Student's t;
- what means of as many rows drawn from all groups' values, each group around its own mean, are off by, in their own
  standard errors and to whichever side is worse: the shape of all values stands for that of a group too small to show
  its own, and may be turned either way. Of `MANY` rows and more the skewness of all values takes the place of draws;
- Student's t with the skewness that the group itself shows (first term of Cornish and Fisher's expansion).

What it cannot see is a small group whose values are far more skewed than those of all groups together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from probe import special
from probe.bias.counts import Table
from probe.bias.intervals import pairs
from probe.bias.rates import Quantity
from probe.bias.validation import Floats, Ints

MANY = 200  # rows of a group from which skewness says enough
DRAWS = 4000
TAIL = 10  # draws that a quantile rests on; further out it grows as Student's t does
SIZES = (
    *range(2, 15),
    17,
    20,
    24,
    28,
    34,
    40,
    48,
    56,
    68,
    80,
    96,
    113,
    136,
    160,
    MANY,
)  # that are drawn; a group takes the next smaller


@dataclass(frozen=True)
class Mean(Quantity):
    """The mean over a group's rows of a function of labels and answers."""

    of: Callable[[Floats, Floats], Floats]  # of labels and answers


MEANS: Mapping[str, Mean] = {
    "mean_answer": Mean("mean answer", "rows", lambda labels, answers: answers),
    "mean_error": Mean("mean error", "rows", lambda labels, answers: answers - labels),
    "mean_absolute_error": Mean("mean absolute error", "rows", lambda labels, answers: np.abs(answers - labels)),
}


@dataclass(frozen=True, eq=False)
class Spread:
    """The values of all rows that name a group, for the standard errors of the means."""

    values: Floats
    codes: Ints
    groups: int
    seed: int = 0

    @cached_property
    def sizes(self) -> Ints:
        return np.bincount(self.codes, minlength=self.groups)

    @cached_property
    def means(self) -> Floats:
        return np.bincount(self.codes, self.values, self.groups) / self.sizes

    @cached_property
    def around(self) -> Floats:
        """Each value minus the mean of its group; exactly 0 where all values of a group are equal."""
        left = self.values - self.means[self.codes]
        return np.where(np.abs(left) > 1e-12 * np.abs(self.values).max(initial=0.0), left, 0.0)

    @cached_property
    def errors(self) -> Floats:
        """The standard error of each mean; infinite for a group of one.

        Equal values in a small group do not make its mean certain: the error is at least that of one row that deviates
        by the standard deviation of all values.
        """
        if not self.groups:
            return np.zeros(0)
        free = np.maximum(self.sizes - 1, 1)
        own = np.bincount(self.codes, self.around**2, self.groups) / free
        variance = np.maximum(own, self.values.var() / self.sizes)
        return np.where(self.sizes > 1, np.sqrt(variance / self.sizes), np.inf)

    @cached_property
    def skewness(self) -> Floats:
        """Of each group, and at the end of all values around the means of their groups."""
        second, third = (np.bincount(self.codes, self.around**k, self.groups) / self.sizes for k in (2, 3))
        every = np.array([[(self.around**k).mean()] for k in (2, 3)])
        second, third = (np.append(part, whole) for part, whole in zip((second, third), every, strict=True))
        return np.divide(third, second**1.5, out=np.zeros_like(third), where=second > 0)

    @cached_property
    def drawn(self) -> dict[int, Floats]:
        """Of each size that a group has, sorted: by how many standard errors means of so many rows are off."""
        generator = np.random.default_rng(self.seed)
        wanted = {_size(int(n)) for n in self.sizes if 1 < n < MANY}
        return {size: self._off(size, generator) for size in sorted(wanted)} if self.around.any() else {}

    def _off(self, size: int, generator: np.random.Generator) -> Floats:
        rows = self.around[generator.integers(len(self.around), size=(DRAWS, size))]
        mean, error = rows.mean(1), rows.std(1, ddof=1) / np.sqrt(size)
        sure = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
        return np.sort(np.divide(mean, error, out=sure, where=error > 0))

    def halves(self, alpha: float) -> Floats:
        """Half the length of each group's interval, which its mean misses with probability alpha."""
        if not self.groups:
            return np.zeros(0)
        free = np.maximum(self.sizes - 1, 1)
        student = -special.stdtrit(free, alpha / 2)
        skewed = np.abs(self.skewness[:-1])
        skewed = np.where(self.sizes >= MANY, np.maximum(skewed, abs(self.skewness[-1])), skewed)
        bent = (2 * special.ndtri(alpha / 2) ** 2 + 1) / (6 * np.sqrt(self.sizes)) * skewed
        reach = student + bent
        for size, off in self.drawn.items():
            members = np.array([1 < n < MANY and _size(int(n)) == size for n in self.sizes])
            reach[members] = np.maximum(reach[members], _quantile(off, size, alpha))
        return np.asarray(reach * self.errors)


@dataclass(frozen=True, eq=False)
class Means:
    """The means that are compared, of all groups or of those that are large enough."""

    rate: Mean
    names: Sequence[str]
    trials: Ints  # rows of each group
    shares: Floats  # the mean of each
    spread: Spread
    at: Ints  # their indices among the groups of the spread

    def with_at_least(self, smallest: int) -> "Means":
        """Only the groups with this many rows or more."""
        large = np.flatnonzero(self.trials >= smallest)
        names = [self.names[k] for k in large.tolist()]
        return Means(self.rate, names, self.trials[large], self.shares[large], self.spread, self.at[large])

    def gaps(self, alpha: float) -> tuple[Floats, Floats]:
        """Of every pair the difference of the means, and half the length of its interval, missed by alpha."""
        a, b = pairs(len(self.names))
        half = self.spread.halves(alpha)[self.at]
        return self.shares[a] - self.shares[b], np.hypot(half[a], half[b])


def means_of(table: Table, name: str, values: Floats, seed: int) -> Means:
    """The groups of a table with their means of the values of its rows; none where the table holds no groups."""
    if not table.names:
        return Means(MEANS[name], (), np.zeros(0, np.int64), np.zeros(0), Spread(np.zeros(0), np.zeros(0, np.int64), 0),
                     np.zeros(0, np.int64))  # fmt: skip
    known = table.codes >= 0
    spread = Spread(values[known], table.codes[known], len(table.names), seed)
    return Means(MEANS[name], table.names, spread.sizes, spread.means, spread, np.arange(len(table.names)))


def _size(rows: int) -> int:
    return max(size for size in SIZES if size <= rows)


def _quantile(off: Floats, size: int, alpha: float) -> float:
    """The quantile that a share alpha / 2 of draws exceeds, on the worse side."""
    tail = max(alpha / 2, TAIL / len(off))
    beyond = int(tail * len(off))
    found = max(-off[beyond - 1], off[-beyond])
    return float(found * (special.stdtrit(size - 1, alpha / 2) / special.stdtrit(size - 1, tail)))
