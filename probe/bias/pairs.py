"""Every pair of groups compared, rate by rate."""

import numpy as np
import pandas as pd

from probe.bias.counts import Table
from probe.bias.intervals import difference_interval, pairs
from probe.bias.power import detectable_gap
from probe.bias.proportions import divide, holm, two_proportions_p
from probe.bias.rates import RATES

COMPARED = ("selection_rate", "tpr", "fpr")


def compare(table: Table, level: float) -> pd.DataFrame:
    """A row per pair of groups and rate, small groups included; each interval holds for its own row only.

    The interval is the one that `disparities` has for two groups. `p_value` is of the pooled z test, or of Fisher's
    exact test where an expected count is under 5; `p_adjusted` is Holm's over all rows of the attribute, so any of
    them may be picked out and quoted.
    """
    frame = pd.concat([_compare(table, name, level) for name in COMPARED], ignore_index=True)
    frame.insert(list(frame.columns).index("p_value") + 1, "p_adjusted", holm(frame["p_value"].to_numpy()))
    return frame


def _compare(table: Table, name: str, level: float) -> pd.DataFrame:
    a, b = pairs(len(table.names))
    k, n = RATES[name].successes(table.counts), RATES[name].trials(table.counts)
    low, high = difference_interval(k[a], n[a], k[b], n[b], level)
    names = np.array(table.names, dtype=object)
    return pd.DataFrame(
        {
            "attribute": table.attribute,
            "a": names[a],
            "b": names[b],
            "metric": name,
            "difference": divide(k[a], n[a]) - divide(k[b], n[b]),
            "low": low,
            "high": high,
            "p_value": two_proportions_p(k[a], n[a], k[b], n[b]),
            "n_a": n[a],
            "n_b": n[b],
            "detectable": detectable_gap(k[a], n[a], k[b], n[b], alpha=1 - level),
        },
        index=range(len(a)),
    )
