"""Figures of reports that are made, and neither laid out nor written, which takes most of a page's time.

A module that imports `figures_unwritten` has it for all its tests, a `conftest.py` for all tests of its folder.
"""

from collections.abc import Iterator
from html import escape

import pytest


def unwritten(ax, **how) -> str:
    """The words of a figure, in place of what `to_svg` gives."""
    from matplotlib.text import Text

    words = escape(" ".join(text.get_text() for text in ax.figure.findobj(Text)))
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9">{words}</svg>'


@pytest.fixture(scope="module", autouse=True)
def figures_unwritten() -> Iterator[None]:
    from probe.report import blocks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "to_svg", unwritten)
        yield
