"""Lines, markers and text of every figure."""

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
