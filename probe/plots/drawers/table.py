"""Drawings of table rows: attributions as bars, and the values that an attack changed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probe.plots.drawers.drawer import Array, Drawer, Example

TOLD = 3  # changed features listed on one line


@dataclass(frozen=True, kw_only=True)
class TableDrawer(Drawer):
    """Draws a row of a table."""

    form: ClassVar[str] = "table"
    tabular: ClassVar[bool] = True
    changed: ClassVar[str] = "moved most"

    def told(self, before: Example, after: Example, moved: Array) -> str:
        most = [int(at) for at in np.abs(moved).argsort(kind="stable")[::-1] if moved[at]]
        in_words = len(before.words) == len(after.words) == len(moved)
        named = [
            f"{before.names[at]}: {before.words[at]} → {after.words[at]}" if in_words else str(before.names[at])
            for at in most[:TOLD]
        ]
        return "; ".join(named) + (f"; {len(most) - TOLD} more" if len(most) > TOLD else "")
