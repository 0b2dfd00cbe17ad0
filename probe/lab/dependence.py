"""Dependence of a table's features on a column, from 0 (none) to 1 (complete)."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROWS = 20_000  # rows that it is measured on: the first

MEASURED = (
    "How much a feature depends on the attribute in the data, from 0 (not at all) to 1 (wholly): Cramér's V between "
    "two categories, the correlation ratio between a category and a number, the size of Spearman's rank correlation "
    "between two numbers."
)


class Dependence(NamedTuple):
    """The dependence of one feature on the column."""

    name: str
    value: float
    measure: str


def dependences(column: "pd.Series[Any]", features: pd.DataFrame) -> list[Dependence]:
    """The dependence of each feature on a column, strongest first; texts are categories."""
    rows = slice(0, ROWS)
    found = [_between(column.iloc[rows], features[name].iloc[rows], str(name)) for name in features]
    return sorted(found, key=lambda each: -each.value)


def _between(one: "pd.Series[Any]", other: "pd.Series[Any]", name: str) -> Dependence:
    kept = (one.notna() & other.notna()).to_numpy()
    one, other = one[kept], other[kept]
    numeric = [pd.api.types.is_numeric_dtype(each) for each in (one, other)]
    if len(one) == 0:
        return Dependence(name, 0.0, "no rows that have both")
    if all(numeric):
        constant = one.nunique() < 2 or other.nunique() < 2
        value = 0.0 if constant else abs(float(one.rank().corr(other.rank())))
        return Dependence(name, value, "Spearman's rank correlation, its size")
    if any(numeric):
        groups, numbers = (other, one) if numeric[0] else (one, other)
        return Dependence(
            name, _ratio(groups.astype(str).to_numpy(), numbers.to_numpy(np.float64)), "correlation ratio"
        )
    return Dependence(name, _cramer(one.astype(str), other.astype(str)), "Cramér's V")


def _cramer(one: "pd.Series[Any]", other: "pd.Series[Any]") -> float:
    table = pd.crosstab(one.to_numpy(), other.to_numpy()).to_numpy()
    least = min(table.shape) - 1
    if least < 1:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    chi = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi / table.sum() / least))


def _ratio(groups: NDArray[Any], numbers: NDArray[Any]) -> float:
    """The correlation ratio: the square root of the share of variance between groups."""
    total = float(((numbers - numbers.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    parts = pd.Series(numbers).groupby(groups)
    between = float((parts.size() * (parts.mean() - numbers.mean()) ** 2).sum())
    return float(np.sqrt(min(1.0, between / total)))
