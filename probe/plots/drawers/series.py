"""Drawings of time series: lines over a coloured attribution, and lines before and after an attack."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from matplotlib.axes import Axes

from probe.errors import DataError
from probe.plots.drawers.drawer import Array, Drawer, Example, Values
from probe.plots.series import Scale, series, series_change, shown_values
from probe.plots.signed import reach


@dataclass(frozen=True, kw_only=True)
class SeriesDrawer(Drawer):
    """Draws a series (channels, length)."""

    form: ClassVar[str] = "series"
    pixels: ClassVar[tuple[int, int, int]] = (400, 420, 560)
    alt: ClassVar[str] = "The series, coloured by {method}"
    legend: ClassVar[str] = (
        "The line lies on red where it supports the answer and on blue where it opposes it. Each drawing has "
        "a scale of its own, written below it; a stretch that shares its value evenly is coloured by the whole of it."
    )
    attacked_alt: ClassVar[str] = "before (grey) and after (orange) {attack}"
    attacked_legend: ClassVar[str] = "The grey line is the series before, the orange one after."
    changed: ClassVar[str] = "stretch moved most"
    shows: ClassVar[str] = "each measurement may be moved, by up to the radius, in the worst direction"
    hides: ClassVar[str] = (
        "Changes outside the radius, such as a series that is stretched, shifted in time or recorded by another "
        "device, are not covered."
    )

    names: Sequence[str] = ()  # names of the channels
    rate: float = 0.0  # measurements per second; 0: unknown

    def __post_init__(self) -> None:
        numeric = isinstance(self.rate, int | float) and isfinite(self.rate) and self.rate >= 0
        if not numeric or isinstance(self.names, str) or not isinstance(self.names, Sequence):
            raise DataError(f"a series has names and a rate, and names={self.names!r:.60}, rate={self.rate!r:.60}")

    def input(self, example: Example, *, title: str = "", ax: Axes | None = None) -> Axes:
        return series(example.inputs, scale=self._scale(example), title=title, ax=ax)

    def explained(self, example: Example, values: Values, *, title: str = "", ax: Axes | None = None) -> Axes:
        scale = self._scale(example)
        drawn, owner = values.by_number, example.features
        return series(example.inputs, drawn, scale=scale, features=owner, limit=values.limit, title=title, ax=ax)

    def attacked(
        self, before: Example, after: Example, moved: Array, *, title: str = "", ax: Axes | None = None
    ) -> Axes:
        return series_change(before.inputs, after.inputs, scale=self._scale(before), title=title, ax=ax)

    def reach(self, example: Example, values: Values) -> float:
        return reach(shown_values(values.by_number, example.features))

    def _scale(self, example: Example) -> Scale:
        # A forged bundle may name the wrong number of channels.
        return Scale(self.names if len(self.names) == len(example.inputs) else (), float(self.rate))
