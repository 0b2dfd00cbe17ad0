"""Success against queries, where attacks that ran out of queries tell only that they would have needed more."""

import numpy as np
import pandas as pd

from probe.errors import DataError, Unsupported
from probe.results import Perturbation
from probe.statistics import normal_quantile
from probe.tensors import to_numpy


def by_queries(found: Perturbation, level: float = 0.95) -> pd.DataFrame:
    """The share of rows that an attack breaks within so many queries of each (Kaplan and Meier 1958).

    A row that it did not break is censored: it would have needed more queries than it was given, and counts until
    then. Without censoring this is the share of rows broken; with budgets that differ from row to row it is not biased
    by the rows with few. Intervals are Greenwood's, on the scale of log(-log).

    Args:
        found: the result of an attack that ends with an example once it is broken, such as Square.
        level: the confidence at each number of queries.

    Returns:
        A row for each number of queries at which rows fell: `queries`, `broken` as a share of the rows that were right
        before, `low`, `high`, and `asked`, the rows that were still attacked then.

    Raises:
        Unsupported: if the attack goes on after it succeeds, to make its change smaller, or did not count its queries.
        DataError: if no row was right before.

    Example:
        >>> import torch
        >>> from probe import Model, study
        >>> from probe.attacks import Square
        >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
        >>> x, y = torch.tensor([[0.6], [0.9]]), torch.zeros(2, dtype=torch.long)
        >>> study.by_queries(Square(eps=0.2, max_queries=50)(model, x, y))[["broken", "asked"]].values.tolist()
        [[0.5, 2.0]]
    """
    if not getattr(found.method, "budget", "") or found.queries is None:
        raise Unsupported(
            f"{found.method} goes on after it succeeds, or counts no queries, so that they do not say when it "
            "succeeded; use an attack with a radius, such as Square"
        )
    success, open_ = to_numpy(found.success), np.isinf(to_numpy(found.needed)) | to_numpy(found.success)
    if not open_.any():
        raise DataError("no row was right before the attack, so that there was nothing to break; give others")
    spent = to_numpy(found.queries)[open_]
    at, place = np.unique(spent[success[open_]], return_inverse=True)
    fell = np.bincount(place, minlength=len(at)).astype(float)
    asked = (spent[None] >= at[:, None]).sum(1).astype(float)
    left = np.cumprod(1 - fell / asked)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(fell / (asked * (asked - fell)))
        spread = float(normal_quantile(0.5 + level / 2)) * np.sqrt(greenwood) / np.abs(np.log(left))
        low, high = (1 - left ** np.exp(way * spread) for way in (-1, 1))
    # Where none is left the scale ends; Greenwood's interval is empty there.
    low, high = np.where(left > 0, low, np.nan), np.where(left > 0, high, 1.0)
    return pd.DataFrame({"queries": at, "broken": 1 - left, "low": low, "high": high, "asked": asked.astype(int)})
