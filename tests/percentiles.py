"""The tails of a bootstrap by their definition."""

from scipy.stats import norm, t


def expanded(rows, level=0.95):
    """The tails of a percentile interval that is as wide as a t interval of the mean of so many rows."""
    tail = norm.cdf(t.ppf((1 - level) / 2, rows - 1) * (rows / (rows - 1)) ** 0.5)
    return [tail, 1 - tail]
