"""How inputs of a form are drawn and spoken of: what readers of results know of a form, without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from probe.plots.bars import bars

Array = NDArray[Any]

SHARED = (
    "The charts list the same features in the same order, by their mean rank over the methods. Each has a scale of its "
    "own, so that lengths compare features within a chart, not methods."
)


@dataclass(frozen=True, eq=False)
class Example:
    """One input, as readers know it."""

    inputs: Array  # its numbers as the model gets them, (*shape)
    names: Sequence[str]  # one per feature
    words: Sequence[str] = ()  # each feature in words; empty if not recorded
    features: Array | None = None  # the feature of each number; None: each is its own


@dataclass(frozen=True, eq=False)
class Values:
    """What a method attributes to an input."""

    by_number: Array  # shaped as the input
    by_feature: Array
    top: int | Sequence[int] = 10  # how many features a chart lists, or which, in their order


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """Bars of features: how any input can be drawn. A subclass draws the inputs of one form.

    Its fields are settings of the form that a bundle keeps. Figures are of arrays alone; `ax` is where to draw, Axes of
    their own unless given. A form that reads as text returns HTML from `text` and `text_diff`, and pages show that.
    """

    form: ClassVar[str] = ""  # the name of the form
    tabular: ClassVar[bool] = False  # whether an input reads best as a table of features and values
    named_in_words: ClassVar[bool] = False  # whether features are called by what they are in an input, as words are
    shown_alone: ClassVar[bool] = False  # whether the input is drawn once more without values, beside drawings of them
    places: ClassVar[int] = 1  # coordinates that a feature's change is the sum over, where they change as one
    size: ClassVar[str] = "half"  # the width of a drawing of values: small, third, half, or text
    pixels: ClassVar[tuple[int, int, int]] = (400, 400, 480)  # width of input, values and attacked input on a screen
    alt: ClassVar[str] = "Bars of {method}"  # what a drawing of values is
    legend: ClassVar[str] = SHARED  # what to know of drawings of values
    attacked_alt: ClassVar[str] = "and what {attack} moved"
    attacked_legend: ClassVar[str] = (
        "Bars say how far each feature was moved, in the unit of radii: red is up, blue is down."
    )
    changed: ClassVar[str] = "feature moved most"  # the heading over `told`
    shows: ClassVar[str] = "each input may be moved, by up to the radius, in the worst direction"  # of an attack
    hides: ClassVar[str] = "Changes outside the radius, such as a rotation or another camera, are not covered."

    def input(self, example: Example, *, title: str = "", ax: Axes | None = None) -> Axes:
        """The input itself."""
        flat = example.inputs.ravel()
        return bars([f"input {at}" for at in range(len(flat))], flat, title=title, ax=ax)

    def explained(self, example: Example, values: Values, *, title: str = "", ax: Axes | None = None) -> Axes:
        """The input with what a method attributes to it: red speaks for the answer, blue against it."""
        return bars(self.called(example), values.by_feature, top=values.top, title=title, ax=ax)

    def attacked(
        self, before: Example, after: Example, moved: Array, *, title: str = "", ax: Axes | None = None
    ) -> Axes:
        """What an attack changed; `moved` is by how much, one number per feature, in the unit of the radius."""
        kept = np.flatnonzero(moved)
        return bars([before.names[int(at)] for at in kept], moved[kept], top=8, title=title, ax=ax)

    def text(self, example: Example, values: Values | None = None) -> str:
        """The input as HTML, with what a method attributes to it; empty where a figure says it."""
        return ""

    def text_diff(self, before: Example, after: Example) -> str:
        """What an attack changed, as HTML; empty where a figure says it."""
        return ""

    def told(self, before: Example, after: Example, moved: Array) -> str:
        """What an attack changed, in a few words."""
        return str(before.names[int(np.abs(moved).argmax())])

    def key(self, example: Example, values: Values) -> str:
        """What a drawing's colours or widths stand for, in a few words."""
        return ""

    def called(self, example: Example) -> Sequence[str]:
        """What the features of an input are called."""
        return example.words if self.named_in_words and len(example.words) else example.names
