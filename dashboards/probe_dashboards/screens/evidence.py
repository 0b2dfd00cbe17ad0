"""What was measured, by which method, and what came of it?"""

from probe.audit.reading import CHAPTERS
from probe_dashboards import draw as parts
from probe_dashboards.views import evidence
from probe_dashboards.views.runs import Opened

CHAPTER = CHAPTERS["evidence"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    parts.heading(CHAPTER.title, CHAPTER.asks)
    parts.section("Numbers")
    parts.listing(evidence.measured(opened.bundle), "Each number with its interval")
    parts.section("What each step left")
    parts.listing(evidence.steps(opened.bundle), "Settings and arrays of each step")
