"""What was measured, by which method, and what came of it?"""

from probe.audit.reading import CHAPTERS
from probe_dashboards import widgets
from probe_dashboards.views import evidence
from probe_dashboards.views.runs import Opened

CHAPTER = CHAPTERS["evidence"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    widgets.section("Numbers")
    widgets.listing(evidence.measured(opened.bundle), "Each number with its interval")
    widgets.section("What each step left")
    widgets.listing(evidence.steps(opened.bundle), "Settings and arrays of each step")
