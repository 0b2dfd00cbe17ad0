"""Lines, markers and text of every figure."""

import re
from bisect import bisect_left
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font

from probe.palette import CATEGORIES, INK, LINES, MARKERS
from probe.text import visible

SMALL, NORMAL = 8.0, 9.0  # points


def series_style(index: int) -> dict[str, str]:
    """Colour, marker and line of one of several curves, distinct in print and for any colour vision."""
    return {
        "color": CATEGORIES[index % len(CATEGORIES)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def safe_label(text: object, length: int = 32) -> str:
    """Make untrusted text safe for a figure: one line, no formulas, shortened in the middle.

    >>> safe_label("two   words")
    'two words'
    """
    known = get_font(findfont(FontProperties())).get_charmap()
    shown = visible(" ".join(str(text)[:4096].split()), length)
    # A missing glyph would be drawn as a box, with a warning for each.
    shown = "".join(c if ord(c) in known else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return shown.replace("$", r"\$")


def safe_labels(names: Iterable[object], length: int = 32, *, among: Iterable[object] = ()) -> list[str]:
    """Make untrusted names that stand together safe for a figure, so that long ones stay apart.

    Of a long name the words are left out with which another one begins too: sensor 113 is not called as sensor 13.

    Args:
        names: the names.
        length: the maximum number of characters of each.
        among: more names, from which they are told apart.

    >>> safe_labels(["missed payments in the last 2 years", "missed payments in the last 3 years"], 14)
    ['…last 2 years', '…last 3 years']
    """
    own = [" ".join(str(name)[:4096].split()) for name in names]
    every = sorted({*own, *(" ".join(str(name)[:4096].split()) for name in among)})
    return [_apart(name, length, every) if len(name) > length else safe_label(name, length) for name in own]


def _apart(name: str, length: int, every: list[str]) -> str:
    """A long name from where it differs from its neighbours in the order of the alphabet on."""
    at = bisect_left(every, name)
    shared = max((_shared(name, each) for each in every[max(at - 1, 0) : at + 2] if each != name), default=0)
    words = [found.end() for found in re.finditer(r"[\s_=:./-]+", name[: shared + 1])]
    start = words[-1] if words else shared if 2 * shared >= length else 0
    if not start:
        return safe_label(name, length)
    start = min([start, *(each for each in words if len(name) - each < length)])  # as much as there is room for
    rest = name[start:] if len(name) - start < length else f"{name[start : start + length - 2]}…"
    return safe_label(f"…{rest}", length)


def _shared(one: str, other: str) -> int:
    """With how many of the same characters two texts begin."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def set_title(ax: Axes, title: object, length: int = 32, *, wrap: bool = True) -> None:
    """Write untrusted text above the left end of Axes; nothing if it is empty."""
    if title:
        ax.set_title(safe_label(title, length), fontsize=NORMAL, color=INK, loc="left", pad=5, wrap=wrap)


def style_axes(ax: Axes, *, grid: str = "both") -> Axes:
    """Style Axes: no frame, a faint grid, small labels."""
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set(color=INK, alpha=0.5, linewidth=0.7)
    ax.tick_params(labelsize=SMALL, labelcolor=INK, color=INK, length=3, width=0.7)
    if grid in ("both", "x", "y"):
        ax.grid(visible=True, axis=grid, color=INK, alpha=0.13, linewidth=0.7)  # type: ignore[arg-type]  # a Literal to matplotlib
    ax.set_axisbelow(True)
    return ax
