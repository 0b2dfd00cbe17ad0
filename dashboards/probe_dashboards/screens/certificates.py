"""Which answers can no attack change, and up to which radius?"""

from probe.audit.reading import CHAPTERS
from probe.formatting import norm
from probe_dashboards import widgets
from probe_dashboards.views import proofs
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["certificates"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    if why := proofs.why_none(bundle, "certificate"):
        widgets.not_run("A certificate", why, '[certify]\nmethods = ["randomized_smoothing"]')
    for axis, found in proofs.certificates(bundle).items():
        behind = proofs.certified_panel(bundle, axis)
        widgets.section(md(f"{found[0].asks.capitalize()} by radius ({norm(found[0].axis)})"), behind.name)
        caption = (
            "The share of rows whose answer is right and provably stays right under every change up to the radius, "
            "with 95 % Wilson intervals. At 0: right answers with a certificate of any radius. Abstentions: rows "
            "without a certificate."
        )
        widgets.figure(opened, "certified", caption, axis, width=680)
        widgets.table(proofs.by_radius(found), "Certified accuracy at each radius")
        widgets.method_table(opened, "certificate", proofs.proved(found), "What was certified")
        widgets.behind(opened, behind)
