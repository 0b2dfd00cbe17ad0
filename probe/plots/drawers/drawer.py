"""The contract of a drawer: how readers of results draw and name inputs of a form, without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from probe.palette import INK
from probe.plots.bars import bars, whiskers

Array = NDArray[Any]

SHARED = (
    "The charts list the same features in the same order, by their mean rank over the methods. Each has a scale of its "
    "own, so that lengths compare features within a chart, not methods. A thin "
    "line is the interval of 95 % of a value that was estimated from a draw."
)


@dataclass(frozen=True, eq=False)
class Example:
    """One input."""

    inputs: Array  # the input as the model gets it, (*shape)
    names: Sequence[str]  # one per feature
    words: Sequence[str] = ()  # the value of each feature as text; empty if not recorded
    features: Array | None = None  # the feature of each coordinate; None: each is its own
    truth: Array | None = None  # where the truth was planted, not 0 there, shaped as the input; None: unknown
    like: Array | None = None  # the input before an attack, where the nodes of a graph stand; None: its own places


@dataclass(frozen=True, eq=False)
class Values:
    """An attribution to an input."""

    by_number: Array  # shaped as the input
    by_feature: Array
    top: int | Sequence[int] = 10  # how many features a chart lists, or their indices in order
    limit: float | None = None  # the value of the darkest shade, widest line or end of the axis; None: its own
    errors: Array | None = None  # standard errors by feature; None if the values were not drawn


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """Draws any input as bars of features; subclasses draw the inputs of one form.

    Its fields are settings of the form that a bundle keeps. `ax` is where to draw, by default new Axes. A form that is
    text returns HTML from `text` and `text_diff`, which pages show instead of figures.
    """

    form: ClassVar[str] = ""  # the name of the form
    tabular: ClassVar[bool] = False  # whether an input is best shown as a table of features and values
    named_in_words: ClassVar[bool] = False  # whether features are named by their value in the input, as words are
    shown_alone: ClassVar[bool] = False  # whether the input is also drawn without values, beside the attributions
    borders: ClassVar[bool] = False  # whether a planted truth is drawn, as a green border
    places: ClassVar[int] = 1  # coordinates over which a feature's change is summed, if they change together
    size: ClassVar[str] = "half"  # width of an attribution: small, third, half, or text
    pixels: ClassVar[tuple[int, int, int]] = 400, 400, 480  # widths of input, attribution, attacked input
    alt: ClassVar[str] = "Bars of {method}"  # caption of an attribution
    legend: ClassVar[str] = SHARED  # note on attributions
    attacked_alt: ClassVar[str] = "and what {attack} moved"
    attacked_legend: ClassVar[str] = (
        "Bars say how far each feature was moved, in the unit of radii: red is up, blue is down."
    )
    changed: ClassVar[str] = "feature moved most"  # the heading over `told`
    shows: ClassVar[str] = "each input may be moved, by up to the radius, in the worst direction"  # the threat
    hides: ClassVar[str] = "Changes outside the radius, such as a rotation or another camera, are not covered."

    def input(self, example: Example, *, title: str = "", ax: Axes | None = None) -> Axes:
        """Draw the input."""
        flat = example.inputs.ravel()
        return bars([f"input {at}" for at in range(len(flat))], flat, title=title, ax=ax)

    def explained(self, example: Example, values: Values, *, title: str = "", ax: Axes | None = None) -> Axes:
        """Draw the input with an attribution: red supports the target, blue opposes it."""
        ax = bars(self.called(example), values.by_feature, top=values.top, limit=values.limit, title=title, ax=ax)
        return ax if values.errors is None else whiskers(ax, values.by_feature, values.errors, values.top)

    def attacked(
        self, before: Example, after: Example, moved: Array, *, title: str = "", ax: Axes | None = None
    ) -> Axes:
        """Draw what an attack changed; `moved` is the change of each feature in units of the radius."""
        kept = np.flatnonzero(moved)
        drawn = bars([before.names[int(at)] for at in kept], moved[kept], top=8, title=title, ax=ax)
        if not len(kept):
            drawn.text(0.5, 0.5, "nothing changed", ha="center", va="center", transform=drawn.transAxes, color=INK)
        return drawn

    def text(self, example: Example, values: Values | None = None) -> str:
        """The input with an attribution as HTML; empty if the form is drawn as a figure."""
        return ""

    def text_diff(self, before: Example, after: Example) -> str:
        """What an attack changed as HTML; empty if the form is drawn as a figure."""
        return ""

    def told(self, before: Example, after: Example, moved: Array) -> str:
        """What an attack changed, in a few words."""
        return str(before.names[int(np.abs(moved).argmax())])

    def key(self, example: Example, values: Values) -> str:
        """What colours or widths stand for, in a few words."""
        return ""

    def reach(self, example: Example, values: Values) -> float:
        """What a drawing of these values needs as its limit, so that several can share the largest."""
        flat = np.asarray(values.by_feature, dtype=float)
        listed = np.argsort(-np.abs(flat))[: values.top] if isinstance(values.top, int) else np.asarray(values.top, int)
        others = flat.sum() - flat[listed].sum()  # have a bar of their own
        return float(np.abs([*flat, others]).max(initial=0.0))

    def called(self, example: Example) -> Sequence[str]:
        """The names of an input's features."""
        return example.words if self.named_in_words and len(example.words) else example.names
