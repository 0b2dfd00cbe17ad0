"""What does the model do over all rows?"""

from probe.audit.reading import CHAPTERS
from probe_dashboards import widgets
from probe_dashboards.screens import performance
from probe_dashboards.views import proofs
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["surveys"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    if why := proofs.why_none(bundle, "survey"):
        widgets.not_run("A survey", why, '[survey]\nmethods = ["permutation_importance"]')
    for slug, found in proofs.surveys(bundle).items():
        behind = proofs.survey_panel(bundle, slug)
        widgets.section(md(behind.title), behind.name)
        widgets.figure(opened, "survey", proofs.said(found), slug, width=680)
        for item in found.diagrams:
            widgets.figure(opened, "calibrated", f"{item}. {performance.CAPTION}", slug, item, width=480)
        widgets.listing(proofs.items(found), f"{behind.title}: {found.asks}")
        widgets.behind(opened, behind)
