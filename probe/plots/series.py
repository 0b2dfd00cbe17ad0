"""Figures of time series: lines over coloured attributions, and lines before and after an attack."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from probe.palette import CATEGORIES, INK, MUTED, OUTLINE, SIGNED
from probe.plots.canvas import new_axes
from probe.plots.signed import reach, signed_scale, whole_values
from probe.plots.style import SMALL, safe_labels, set_title, style_axes

Lines = NDArray[np.float64]  # (channels, length)
Line = NDArray[np.float64]

MOST = 8  # maximum number of channels drawn
DRAWN = 1000  # longer lines are thinned to the minimum and maximum of this many bins
APART = 1.15  # distance between two channels, as a multiple of the largest range


@dataclass(frozen=True)
class Scale:
    """The labels of a series: channel names, and measurements per second (0: unknown)."""

    names: Sequence[object] = ()
    rate: float = 0.0


def series(  # noqa: PLR0913 - what is drawn, then settings by name
    lines: ArrayLike,
    values: ArrayLike | None = None,
    *,
    scale: Scale | None = None,
    features: ArrayLike | None = None,
    limit: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The line of each channel over time, on red where it supports the target and on blue where it opposes it.

    Args:
        lines: (channels, length). NaN leaves a gap.
        values: one for each measurement. If features share theirs evenly, each is coloured by its total value.
        scale: channel names and time; by default indices of channels and measurements.
        features: the feature of each measurement.
        limit: what the darkest shade stands for; chosen by `reach` unless given.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    drawn = np.asarray(lines, dtype=float)
    shown = None if values is None else shown_values(values, features)
    lanes = _Lanes.of(drawn, np.abs(drawn) if shown is None else np.abs(shown), scale or Scale())
    ax = lanes.axes(ax, title, room=0.35 if shown is not None else 0.0)
    if shown is not None:
        limit = limit or reach(shown) or 1.0
        for at, channel in enumerate(lanes.channels):
            ax.imshow(
                shown[channel][None], cmap=SIGNED, vmin=-limit, vmax=limit, extent=lanes.extent(at), aspect="auto",
                interpolation="none", zorder=0,
            )  # fmt: skip
        clipped = bool(np.abs(shown).max(initial=0.0) > limit * (1 + 1e-9))
        signed_scale(ax, limit, clipped=clipped, down=0.45 / (0.6 + 0.6 * len(lanes.channels)))
        # A white outline, as the line also crosses the darkest shades.
        lanes.draw(ax, drawn, color="#FFFFFF", linewidth=2.6)
    lanes.draw(ax, drawn, color=INK if shown is None else OUTLINE, linewidth=0.9)
    return ax


def series_change(
    before: ArrayLike, after: ArrayLike, *, scale: Scale | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """The line of each channel before an attack, grey, and after it, orange.

    Args:
        before: (channels, length).
        after: the same shape.
        scale: channel names and time; by default indices of channels and measurements.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    old, new = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    lanes = _Lanes.of(np.concatenate([old, new], 1), np.abs(new - old), scale or Scale(), length=old.shape[1])
    ax = lanes.axes(ax, title)
    lanes.draw(ax, old, color=MUTED, linewidth=1.8)
    lanes.draw(ax, new, color=CATEGORIES[5], linewidth=0.9)
    return ax


@dataclass(frozen=True)
class _Lanes:
    """Stacked lines of channels on one scale."""

    channels: list[int]  # indices of the channels drawn
    count: int  # number of all channels
    length: int
    middle: Line  # middle of the range of each channel
    apart: float
    scale: Scale

    @classmethod
    def of(cls, drawn: Lines, sizes: Lines, scale: Scale, length: int | None = None) -> "_Lanes":
        """Choose the channels with the largest sizes, if there are many; every drawn value lies within its lane."""
        most = np.nan_to_num(sizes).max(1, initial=0.0)
        channels = sorted(np.argsort(-most, kind="stable")[:MOST].tolist())
        known = [line[np.isfinite(line)] for line in drawn]
        low = np.array([line.min(initial=0.0) if not line.size else line.min() for line in known])
        high = np.array([line.max(initial=0.0) if not line.size else line.max() for line in known])
        apart = APART * (float((high - low).max(initial=0.0)) or 1.0)
        return cls(channels, len(drawn), length or drawn.shape[1], (low + high) / 2, apart, scale)

    def axes(self, ax: Axes | None, title: str, room: float = 0.0) -> Axes:
        ax = new_axes(4.6, 1.0 + room + 0.6 * len(self.channels)) if ax is None else ax
        style_axes(ax, grid="x")
        # A single channel has a numeric axis; several have only their names.
        if self.count > 1:
            named = [self.scale.names[at] if self.scale.names else f"channel {at}" for at in self.channels]
            ax.set_yticks([self._level(at) for at in range(len(self.channels))], safe_labels(named, 16))
        left, right, low, high = (*self.extent(0)[:2], self.extent(len(self.channels) - 1)[2], self.extent(0)[3])
        ax.set(xlim=(left, right), ylim=(low, high))
        ax.locator_params(axis="x", nbins=8)
        said = "time in seconds" if self.scale.rate else "measurement"
        if len(self.channels) < self.count:
            said += f"; {len(self.channels)} of {self.count} channels, those with the largest values"
        ax.set_xlabel(said, fontsize=SMALL, color=INK, loc="left")
        set_title(ax, title)
        return ax

    def draw(self, ax: Axes, lines: Lines, *, color: str, linewidth: float) -> None:
        for at, channel in enumerate(self.channels):
            times, line = _thinned(lines[channel])
            shift = self._level(at) - self.middle[channel] if self.count > 1 else 0.0
            ax.plot(times / (self.scale.rate or 1.0), line + shift, color=color, linewidth=linewidth)

    def extent(self, at: int) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of a lane."""
        rate, level = self.scale.rate or 1.0, self._level(at) if self.count > 1 else float(self.middle[0])
        return -0.5 / rate, (self.length - 0.5) / rate, level - self.apart / 2, level + self.apart / 2

    def _level(self, at: int) -> float:
        return -at * self.apart


def shown_values(values: ArrayLike, features: ArrayLike | None) -> Lines:
    """For each measurement the total value of its feature, if shared evenly; else its own value."""
    numbers = np.asarray(values, dtype=float)
    shared = None if features is None else whole_values(numbers, features)
    return numbers if shared is None else np.asarray(shared[1][shared[0]])


def _thinned(line: Line) -> tuple[Line, Line]:
    """Positions and values of a line; a long one is thinned to the minimum and maximum of each bin."""
    at = np.arange(len(line))
    if len(line) > DRAWN:
        edges = np.linspace(0, len(line), DRAWN // 2 + 1).astype(int)
        bins = [(low, np.nan_to_num(line[low:high])) for low, high in pairwise(edges)]
        at = np.unique([int(low + pick(part)) for low, part in bins for pick in (np.argmin, np.argmax)])
    return at.astype(float), line[at]
