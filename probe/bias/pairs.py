"""Every pair of groups compared, rate by rate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.bias.counts import Table
from probe.bias.intervals import difference_of, limits_of, pairs
from probe.bias.proportions import divide, holm, two_proportions_p
from probe.bias.rates import COMPARED, RATES, rates_of
from probe.bias.validation import Floats


def compare(tables: Sequence[Table], level: float) -> pd.DataFrame:
    """A row per attribute, rate and pair of groups, small groups included; each interval holds for its own row only.

    The interval is the one that `disparities` has for two groups. `p_value` is of the pooled z test, or of Fisher's
    exact test where an expected count is under 5; `p_adjusted` is Holm's over all rows of the attribute, so any of
    them may be picked out and quoted. `lower` is the group that gets the favourable outcome less often.
    """
    parts = [_stack([_compare(table, name, level) for name in rates_of(table, COMPARED)]) for table in tables]
    adjusted = np.concatenate([holm(part["p_value"]) for part in parts])
    frame = pd.DataFrame(_stack(parts))
    frame.insert(list(frame.columns).index("p_value") + 1, "p_adjusted", adjusted)
    return frame


def _compare(table: Table, name: str, level: float) -> dict[str, NDArray[Any]]:
    a, b = pairs(len(table.names))
    k, n = RATES[name].successes(table.counts), RATES[name].trials(table.counts)
    limits = limits_of(k, n, 1 - level)
    low, high = difference_of(*([part[side] for part in limits] for side in (a, b)))
    names, difference = np.array(table.names, dtype=object), divide(k[a], n[a]) - divide(k[b], n[b])
    return {
        "attribute": np.full(len(a), table.attribute, dtype=object),
        "a": names[a],
        "b": names[b],
        "metric": np.full(len(a), name, dtype=object),
        "difference": difference,
        "low": low,
        "high": high,
        "p_value": two_proportions_p(k[a], n[a], k[b], n[b]),
        "n_a": n[a],
        "n_b": n[b],
        "lower": _lower(names[a], names[b], difference),
    }


def _stack(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _lower(a: NDArray[np.object_], b: NDArray[np.object_], difference: Floats) -> NDArray[np.object_]:
    lower = np.full(len(a), None, dtype=object)
    lower[difference < 0], lower[difference > 0] = a[difference < 0], b[difference > 0]
    return lower
