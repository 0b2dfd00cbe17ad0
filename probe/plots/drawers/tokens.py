"""Texts: words shaded by their attribution, or struck out if replaced."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.axes import Axes

from probe.formatting import DASH
from probe.plots.bars import bars
from probe.plots.drawers.drawer import Array, Drawer, Example, Values
from probe.plots.sentence import text_diff, text_heatmap
from probe.text import visible

TOLD = 6  # replaced words listed on one line


@dataclass(frozen=True, kw_only=True)
class TokensDrawer(Drawer):
    """Shows a text, whose features are words."""

    form: ClassVar[str] = "tokens"
    named_in_words: ClassVar[bool] = True
    size: ClassVar[str] = "text"
    pixels: ClassVar[tuple[int, int, int]] = (640, 640, 640)
    legend: ClassVar[str] = "Below each word its value; each method has a scale of its own."
    attacked_legend: ClassVar[str] = (
        "Words that are struck out were replaced by the underlined ones after them. A word can be replaced by its "
        "opposite, so that another answer is not always an error."
    )
    changed: ClassVar[str] = "words replaced"
    shows: ClassVar[str] = "some words of each text may be replaced by the worst others"
    hides: ClassVar[str] = (
        "Words may be replaced by their opposites, so that another answer is not always an error; what a text loses "
        "by added sentences or another order of words is not covered."
    )

    def attacked(
        self, before: Example, after: Example, moved: Array, *, title: str = "", ax: Axes | None = None
    ) -> Axes:
        pairs = zip(before.words, after.words, strict=True)
        return bars([f"{old} → {new}" for old, new in pairs], moved, title=title, ax=ax)

    def text(self, example: Example, values: Values | None = None) -> str:
        words = _visible(example.words)
        return text_diff(words, words) if values is None else text_heatmap(words, values.by_feature, limit=values.limit)

    def text_diff(self, before: Example, after: Example) -> str:
        return text_diff(_visible(before.words), _visible(after.words))

    def told(self, before: Example, after: Example, moved: Array) -> str:
        pairs = zip(_visible(before.words), _visible(after.words), strict=True)
        told = [f"{old or DASH} → {new or DASH}" for old, new in pairs if old != new]
        return "; ".join(told[:TOLD]) + (f"; {len(told) - TOLD} more" if len(told) > TOLD else "")


def _visible(words: Sequence[str]) -> list[str]:
    return [visible(word, 60) for word in words]
