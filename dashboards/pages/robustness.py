"""robustness."""

from dashboards.views.runs import Opened


def draw(opened: Opened) -> None:
    """Draw the page."""
