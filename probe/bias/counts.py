"""Confusion counts by group, for each attribute and each intersection of attributes."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from probe.bias.gate import Ints
from probe.errors import DataError

# Pairs grow with the square: past this a column is an identifier or a number in need of bins, not an attribute.
MOST_GROUPS = 200


@dataclass(frozen=True, eq=False)
class Table:
    """Counts of one attribute or intersection: `counts[group, label, prediction]`."""

    attribute: str
    names: tuple[str, ...]
    counts: Ints
    codes: Ints  # the group of each row; -1 where it is unknown
    obstacle: str = ""  # why it holds no groups although rows name some

    def ledger(self) -> dict[str, str | int]:
        """Where the rows went; `used`, `unknown` and `not_run` add up to `rows`."""
        used, known = int(self.counts.sum()), int((self.codes >= 0).sum())
        return {
            "attribute": self.attribute,
            "rows": len(self.codes),
            "used": used,
            "unknown": len(self.codes) - known,
            "not_run": known - used,
        }


def tabulate(labels: Ints, predictions: Ints, groups: pd.DataFrame) -> list[Table]:
    """One table per attribute, then one per intersection of two attributes, of three, and so on.

    One with too many groups to compare holds none, and says so.
    """
    columns = {str(name): _encode(groups[name], str(name)) for name in groups.columns}
    tables: list[Table] = []
    for size in range(1, len(columns) + 1):
        for chosen in combinations(columns, size):
            codes, names = _cross([columns[name] for name in chosen])
            attribute = " x ".join(chosen)
            _refuse_name(attribute, taken=[table.attribute for table in tables])
            if len(names) > MOST_GROUPS:
                tables.append(Table(attribute, (), np.zeros((0, 2, 2), dtype=np.int64), codes, _crowded(names)))
                continue
            _refuse_likeness(attribute, names)
            counts = np.bincount((codes * 4 + labels * 2 + predictions)[codes >= 0], minlength=4 * len(names))
            tables.append(Table(attribute, names, counts.reshape(len(names), 2, 2).astype(np.int64), codes))
    return tables


def _encode(column: pd.Series, name: str) -> tuple[Ints, tuple[str, ...]]:
    """Codes into the values in the order of their text, so that neither row order nor encoding matters."""
    try:
        codes, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError as error:
        raise DataError(f"attribute {name!r} holds values that cannot be hashed, such as lists; use text") from error
    texts = np.array([_text(value) for value in values], dtype=object)
    order = np.argsort(texts, kind="stable")
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    return rank[codes], tuple(str(text) for text in texts[order])


def _text(value: object) -> str:
    # A whole-number column becomes float as soon as one value is missing; its groups keep their names.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _cross(parts: list[tuple[Ints, tuple[str, ...]]]) -> tuple[Ints, tuple[str, ...]]:
    """Codes and names of the combinations that occur; unknown in one part is unknown."""
    known = np.all([codes >= 0 for codes, _ in parts], axis=0)
    codes = np.full(len(known), -1, dtype=np.int64)
    stacked = np.stack([codes[known] for codes, _ in parts])
    present, codes[known] = np.unique(stacked, axis=1, return_inverse=True)
    names = (" & ".join(parts[axis][1][code] for axis, code in enumerate(member)) for member in present.T)
    return codes, tuple(names)


def _refuse_name(attribute: str, taken: list[str]) -> None:
    if attribute in taken:
        raise DataError(f"two attributes or intersections are both called {attribute!r}; rename a column of groups")


def _refuse_likeness(attribute: str, names: tuple[str, ...]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{attribute!r} has unlike groups that both read {repeated[0]!r}; spell them apart or alike")


def _crowded(names: tuple[str, ...]) -> str:
    return f"there are {len(names)} groups, over {MOST_GROUPS}, too many to compare; bin the values or drop the column"
