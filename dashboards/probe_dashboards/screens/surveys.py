"""What does the model do over all rows?"""

from probe.audit.reading import CHAPTERS
from probe_dashboards import draw as parts
from probe_dashboards.views import proofs
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["surveys"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    parts.heading(CHAPTER.title, CHAPTER.asks)
    if why := proofs.why_none(bundle, "survey"):
        parts.absent("A survey", why, '[survey]\nmethods = ["permutation_importance"]')
    for slug, found in proofs.surveys(bundle).items():
        parts.section(md(found.title[:1].upper() + found.title[1:]))
        parts.figure(opened, "survey", proofs.said(found), slug, width=680)
        parts.listing(proofs.items(found), found.asks)
