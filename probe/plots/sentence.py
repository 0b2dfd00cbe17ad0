"""Texts as HTML: words shaded by their attribution, or marked if replaced.

Unlike a figure, HTML can be read aloud, copied and wrapped on a narrow screen. Colours are translucent, so that they
suit light and dark pages.
"""

from collections.abc import Sequence
from html import escape
from math import log10

import numpy as np
from numpy.typing import ArrayLike

from probe.formatting import MINUS
from probe.palette import AGAINST, FOR
from probe.text import visible

DARKEST = 0.45  # opacity behind the word with the largest value; text stays readable on it

_TEXT = "line-height:1.35;overflow-wrap:anywhere;print-color-adjust:exact;-webkit-print-color-adjust:exact"
_WORD = (
    "display:inline-block;max-width:100%;margin:0 .12em .4em 0;padding:.05em .3em;border-radius:3px;"
    "text-align:center;vertical-align:top"
)
_NUMBER = "display:block;font-size:.72em;font-variant-numeric:tabular-nums"
_EDIT = "unicode-bidi:isolate;padding:.05em .2em;border-radius:3px"


def text_heatmap(words: Sequence[str], values: ArrayLike, *, limit: float | None = None) -> str:
    """A text whose words are shaded red if they support the target and blue if they oppose it.

    Each signed value is written below its word; words with negative values are underlined with dashes. Empty words are
    left out.

    Args:
        words: in their order.
        values: one per word.
        limit: the value with the darkest shade; by default the largest absolute value.
    """
    numbers = np.nan_to_num(np.asarray(values, dtype=float))
    limit = limit or float(np.abs(numbers).max(initial=0.0)) or 1.0
    # Rounded to about a hundredth of the largest value, so that the words that matter stand out.
    digits = f".{max(0, round(2 - log10(limit)))}f" if 1e-4 < limit < 1e6 else ".1e"
    spans = (_shaded(word, value, limit, digits) for word, value in zip(words, numbers.tolist(), strict=True) if word)
    return f'<div style="{_TEXT}">{" ".join(spans)}</div>'


def text_diff(before: Sequence[str], after: Sequence[str]) -> str:
    """A text with replaced words struck out, each before its replacement. Empty words are left out."""
    pairs = zip(before, after, strict=True)
    return f'<div style="{_TEXT}">{" ".join(_word_diff(old, new) for old, new in pairs if old or new)}</div>'


def _shaded(word: str, value: float, limit: float, digits: str) -> str:
    red, green, blue = (int((FOR if value >= 0 else AGAINST)[at : at + 2], 16) for at in (1, 3, 5))
    shade = DARKEST * min(abs(value) / limit, 1.0)
    line = "solid" if value >= 0 else "dashed"
    style = (
        f"{_WORD};background:rgba({red},{green},{blue},{shade:.3f});"
        f"border-bottom:2px {line} rgba({red},{green},{blue},{2 * shade:.3f})"
    )
    number = format(value, f"+{digits}")
    number = number.replace("-", MINUS) if float(number) else "0"
    return f'<span style="{style}">{escape(visible(word, 60))}<span style="{_NUMBER}">{number}</span></span>'


def _word_diff(old: str, new: str) -> str:
    if old == new:
        return f'<span style="unicode-bidi:isolate">{escape(visible(old, 60))}</span>'
    gone = f'<del style="{_EDIT};background:rgba(128,138,148,.18)">{escape(visible(old, 60))}</del>'
    come = f'<ins style="{_EDIT};font-weight:600;background:rgba(230,159,0,.3)">{escape(visible(new, 60))}</ins>'
    return f"{gone} {come}"
