"""A study as one tidy table with one row per number."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from probe.reductions import reduction
from probe.study.record import Measured, Record
from probe.tensors import to_numpy

COLUMNS = (
    *("method", "settings", "seed", "eps", "metric", "item", "value", "low", "high", "n"),
    *("seconds", "forwards", "backwards", "status", "note"),
)


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as a DataFrame with all columns and dtypes, even if there are no rows."""
    kinds = {"seed": "Int64", "n": "Int64", "forwards": "Int64", "backwards": "Int64"}
    numbers = dict.fromkeys(("eps", "value", "low", "high", "seconds"), "float64")
    return pd.DataFrame([dict(row) for row in rows], columns=list(COLUMNS)).astype(kinds | numbers)


def rows_of(record: Record) -> list[dict[str, Any]]:
    """One row per measurement of a cell."""
    head = {name: getattr(record, name) for name in ("method", "settings", "seed", "seconds", "forwards", "backwards")}
    return [head | _number(reading) for reading in record.readings]


def _number(reading: Measured) -> dict[str, Any]:
    said = {"eps": reading.eps, "metric": reading.metric, "item": reading.item}
    if reading.evidence is None:
        return said | {"status": "not run", "note": reading.note}
    found = reduction(reading.reduction, json.loads(reading.settings)).estimate(to_numpy(reading.evidence))
    return said | {
        "value": found.value, "low": found.low, "high": found.high, "n": found.n, "status": "done", "note": ""
    }  # fmt: skip
