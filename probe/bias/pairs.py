"""Every pair of groups compared, rate by rate."""

import numpy as np
import pandas as pd
from scipy import stats

from probe.bias.counts import Table
from probe.bias.gate import Floats, Ints
from probe.bias.intervals import pairs
from probe.bias.power import detectable_gap
from probe.bias.rates import RATES, divide
from probe.statistics import newcombe

COMPARED = ("selection_rate", "tpr", "fpr")


def compare(table: Table, level: float) -> pd.DataFrame:
    """A row per pair of groups and rate, small groups included; each interval holds for its own row only.

    `p_adjusted` is Holm's over all rows of the attribute, so any of them may be picked out and quoted.
    """
    frame = pd.concat([_compare(table, name, level) for name in COMPARED], ignore_index=True)
    frame.insert(list(frame.columns).index("p_value") + 1, "p_adjusted", holm(frame["p_value"].to_numpy()))
    return frame


def _compare(table: Table, name: str, level: float) -> pd.DataFrame:
    a, b = pairs(len(table.names))
    k, n = RATES[name].successes(table.counts), RATES[name].trials(table.counts)
    low, high = newcombe(k[a], n[a], k[b], n[b], level)
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


def two_proportions_p(k1: Ints, n1: Ints, k2: Ints, n2: Ints) -> Floats:
    """Two-sided p-values: pooled z, or Fisher's exact test where an expected count is under 5; NaN without trials."""
    pooled = divide(k1 + k2, n1 + n2)
    rare = np.minimum(pooled, 1 - pooled) * np.minimum(n1, n2) < 5
    defined = (n1 > 0) & (n2 > 0)
    p = np.full(len(pooled), np.nan)
    normal, exact = defined & ~rare, defined & rare
    q, m1, m2 = pooled[normal], n1[normal], n2[normal]
    z = (k1[normal] / m1 - k2[normal] / m2) / np.sqrt(q * (1 - q) * (1 / m1 + 1 / m2))
    p[normal] = 2 * stats.norm.sf(np.abs(z))
    p[exact] = [
        stats.fisher_exact(cells.reshape(2, 2)).pvalue for cells in np.stack([k1, n1 - k1, k2, n2 - k2], 1)[exact]
    ]
    return p


def holm(p: Floats) -> Floats:
    """Holm's (1979) step-down adjustment; NaN is no test and stays NaN."""
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
