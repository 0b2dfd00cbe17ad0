"""The ledger of rows: for what each was used, where it was left out, and why."""

from typing import Any

import numpy as np
import pandas as pd

from probe.audit.bundle import Bundle
from probe.audit.reading.groups import attributes

USES = {
    "explainer": "explained",
    "attack": "attacked",
    "label attack": "attacked",
    "counterfactual": "searched",
    "certificate": "certified",
    "survey": "surveyed",
}
NOT_DRAWN = "not drawn"
NO_GROUP = "left out: it names no group"


def ledger(bundle: Bundle) -> pd.DataFrame:
    """A line for each audited row: its number in the data, and what became of it in each part of the audit.

    A part that the audit did not do has no column. Nothing of a row's content is in the ledger. Rows that were left
    out before the audit have no line; the notices of the report's first page count them.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.ledger(read("runs/adult-mlp")).columns[:3]  # doctest: +SKIP
        Index(['row', 'answered', 'explained'], dtype='str')
    """
    n = bundle.manifest.data.n
    numbered = _rows(bundle, "predictions")
    if numbered is None:
        return pd.DataFrame({"row": range(n), "answered": "not run"})
    columns: dict[str, Any] = {"row": numbered, "answered": "used"}
    for step in bundle.manifest.steps:
        use, rows = USES.get(step.kind), _rows(bundle, step.name)
        if use is None or rows is None:
            continue
        drawn = columns.setdefault(use, np.full(n, NOT_DRAWN, dtype=object))
        drawn[rows] = "used"
    groups = bundle.groups() if bundle.has("tables/groups.csv") else pd.DataFrame()
    for attribute in attributes(bundle):
        if attribute in groups:
            columns[f"compared by {attribute}"] = np.where(groups[attribute].isna(), NO_GROUP, "used")
    return pd.DataFrame(columns)


def tallied(bundle: Bundle) -> list[tuple[str, int, int, str]]:
    """Each part of the audit with the rows that it used, those that it left out, and why."""
    table = ledger(bundle)
    found = []
    for part in table.columns[1:]:
        out = table[part][table[part] != "used"]
        found.append((str(part), len(table) - len(out), len(out), ", ".join(dict.fromkeys(map(str, out)))))
    return found


def _rows(bundle: Bundle, step: str) -> Any:
    file = f"arrays/{step}.npz"
    return bundle.arrays(step).get("rows") if bundle.has(file) else None
