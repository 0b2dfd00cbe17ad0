"""New figures, and figures as bytes. Nothing here uses pyplot, whose state is shared by all threads."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from probe.palette import DARK_INK, INK

# An image is told which theme the page around it has, and is drawn anew when that changes.
_ALONE = f"svg{{color:{INK}}}@media (prefers-color-scheme:dark){{svg{{color:{DARK_INK}}}}}"
_SAVING = Lock()  # rc_context changes global state
_REFERENCE = re.compile(r'(id="|href="#|url\(#)([^"\)]+)')


def new_axes(width: float = 4.6, height: float = 3.2) -> Axes:
    """Empty Axes on a new figure; sizes are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_facecolor("none")
    return figure.add_subplot()


def to_svg(ax: Axes, *, prefix: str = "", alone: bool = False) -> str:
    """The figure of these Axes as an <svg> element, byte for byte the same for the same figure.

    Args:
        ax: any Axes of the figure.
        prefix: is put before every id, so that a page can hold several figures.
        alone: whether the figure is an image of its own, as in an <img>, which takes no colour from the text around
            it: text and axes are then dark where the page is light, and light where it is dark.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with _SAVING, rc_context({"svg.hashsalt": "probe", "svg.fonttype": "none"}), _arranged(_figure(ax)) as draw:
        draw(buffer, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK.lower(), "currentColor").rstrip()
    text = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*sans-serif", "font-family: sans-serif", text)
    text = _REFERENCE.sub(rf"\g<1>{prefix}\g<2>", text)
    return text.replace(">", f"><style>{_ALONE}</style>", 1) if alone else text


def to_png(ax: Axes, dpi: float = 144) -> bytes:
    """The figure of these Axes as a PNG on white, byte for byte the same for the same figure."""
    buffer = io.BytesIO()
    with _SAVING:
        _figure(ax).savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _arranged(figure: Figure) -> Iterator[Callable[..., None]]:
    """Lay out and draw the figure as SVG on a transparent background, and restore it afterwards.

    `savefig` would draw it twice: a first time only to lay it out.
    """
    canvas, dpi, engine = figure.canvas, figure.dpi, figure.get_layout_engine()
    patches = [figure.patch, *(ax.patch for each in figure.axes for ax in (each, *each.child_axes))]
    colours = [(patch.get_facecolor(), patch.get_edgecolor()) for patch in patches]
    try:
        draw: Callable[..., None] = FigureCanvasSVG(figure).print_svg
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        for patch in patches:
            patch.set(facecolor="none", edgecolor="none")
        figure.dpi = dpi
        yield draw
    finally:
        for patch, (face, edge) in zip(patches, colours, strict=True):
            patch.set(facecolor=face, edgecolor=edge)
        figure.set_layout_engine(engine)
        figure.dpi, figure.canvas = dpi, canvas


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure
