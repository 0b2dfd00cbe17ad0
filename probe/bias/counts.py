"""Confusion counts by group, for each attribute and each intersection of attributes."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from probe.bias.naming import Column, read
from probe.bias.settings import Settings
from probe.bias.validation import Ints
from probe.errors import DataError

# The number of pairs is quadratic: with more groups, a column is an identifier or a number to bin, not an attribute.
MOST_GROUPS = 200


@dataclass(frozen=True, eq=False)
class Table:
    """Counts of one attribute or intersection: `counts[group, label, prediction]`."""

    attribute: str
    names: tuple[str, ...]
    counts: Ints
    codes: Ints  # the group of each row; -1 where it is unknown
    like_unknown: int  # rows of groups whose name suggests an unknown; they are used
    obstacle: str = ""  # why it was not run although rows name groups
    notice: str = ""  # a notice about the names of its groups
    order: int = 1  # the number of attributes in an intersection
    labelled: bool = True  # without labels, every row counts under label 0

    def row_accounting(self) -> dict[str, str | int]:
        """The number of rows by use; `used`, `unknown` and `not_run` add up to `rows`."""
        used, known = int(self.counts.sum()), int((self.codes >= 0).sum())
        return {
            "attribute": self.attribute,
            "rows": len(self.codes),
            "used": used,
            "unknown": len(self.codes) - known,
            "not_run": known - used,
            "like_unknown": self.like_unknown if used else 0,
            "notice": self.notice,
        }


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Labels and predictions of the rows as 0 and 1, with 1 the favourable one; without labels all are 0."""

    labels: Ints | None
    predictions: Ints

    @cached_property
    def cells(self) -> Ints:
        """The cell of each row in a flat [label, prediction] table."""
        return self.predictions if self.labels is None else self.labels * 2 + self.predictions


def tabulate(outcomes: Outcomes, groups: pd.DataFrame, settings: Settings) -> list[Table]:
    """One table per attribute, then one per intersection of two attributes, and so on up to the order asked for.

    A table with too many groups to compare holds none, and says why.
    """
    columns = {str(name): read(groups[name], str(name), settings) for name in groups.columns}
    tables: list[Table] = []
    for size in range(1, min(settings.order, len(columns)) + 1):
        for chosen in combinations(columns, size):
            attribute = " x ".join(chosen)
            _refuse_name(attribute, taken=[table.attribute for table in tables])
            tables.append(_table(attribute, [columns[name] for name in chosen], outcomes))
    return tables


def _table(attribute: str, parts: list[Column], outcomes: Outcomes) -> Table:
    codes, names = _cross(parts)
    like = np.any([part.like_unknown for part in parts], axis=0) & (codes >= 0)
    crowded = len(names) > MOST_GROUPS
    counts = np.zeros((0, 2, 2), dtype=np.int64)
    if not crowded:
        _refuse_likeness(attribute, names)
        flat = np.bincount((codes * 4 + outcomes.cells)[codes >= 0], minlength=4 * len(names))
        counts = flat.reshape(len(names), 2, 2).astype(np.int64)
    return Table(
        attribute,
        () if crowded else names,
        counts,
        codes,
        int(like.sum()),
        obstacle=_crowded(names) if crowded else "",
        notice=parts[0].notice if len(parts) == 1 else "",
        order=len(parts),
        labelled=outcomes.labels is not None,
    )


def _cross(parts: list[Column]) -> tuple[Ints, tuple[str, ...]]:
    """Codes and names of the combinations that occur; unknown if any part is unknown."""
    if len(parts) == 1:
        return parts[0].codes, parts[0].names
    joint = np.zeros(len(parts[0].codes), dtype=np.int64)
    for part in parts:
        joint = joint * max(len(part.names), 1) + part.codes
    known = np.all([part.codes >= 0 for part in parts], axis=0)
    codes = np.full(len(known), -1, dtype=np.int64)
    present, codes[known] = np.unique(joint[known], return_inverse=True)
    members = np.unravel_index(present, [max(len(part.names), 1) for part in parts])
    names = zip(
        *([part.names[code] for code in member] for part, member in zip(parts, members, strict=True)), strict=True
    )
    return codes, tuple(" & ".join(name) for name in names)


def _refuse_name(attribute: str, taken: list[str]) -> None:
    if attribute in taken:
        raise DataError(f"two attributes or intersections are both called {attribute!r}; rename a column of groups")


def _refuse_likeness(attribute: str, names: tuple[str, ...]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{attribute!r} has different groups that both read {repeated[0]!r}; rename one, or spell them alike"
        )


def _crowded(names: tuple[str, ...]) -> str:
    return f"there are {len(names)} groups, over {MOST_GROUPS}, too many to compare; bin the values or drop the column"
