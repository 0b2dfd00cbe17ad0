"""What would have to be otherwise for another answer?"""

import streamlit as st

from probe.audit.reading import CHAPTERS, Candidate
from probe_dashboards import widgets
from probe_dashboards.views import counterfactuals as views
from probe_dashboards.views import instance, proofs
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["counterfactuals"]
LIMITS = CHAPTER.limits
NONE_KEPT = "No row can be looked at: none with the wanted answer was found among those that the audit kept."


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    if why := proofs.why_none(bundle, "counterfactual"):
        widgets.not_run("A counterfactual", why, '[search]\nmethods = ["nearest_reference"]')
    found = views.searches(bundle)
    if not found:
        return
    named = {slug: each.title for slug, each in found.items()}
    method = widgets.control(opened, "search", "Method", named, drops="row")
    each = found[method]
    st.markdown(md(f"{each.caption} Settings: {each.settings}."))
    widgets.table(views.measured(each), "What was measured over all rows searched")
    widgets.section("What would have to be otherwise")
    if titles := views.titles(each):
        _change(opened, method, views.candidate(each, widgets.control(opened, "row", "Row", titles)))
    else:
        st.text(NONE_KEPT)
    widgets.section("Row by row", "rows")
    st.markdown(
        f"The first {len(each.candidates):,} of {each.n:,} rows searched, each with the best of its candidates. Every "
        "candidate was asked: its answer is the model's own. Distance is L1, in the unit of the space's scale."
    )
    widgets.listing(views.listed(each), "Answers before and after, what changes, and how far that is")
    widgets.behind(opened, views.behind(each))


def _change(opened: Opened, method: str, found: Candidate) -> None:
    drawer = instance.drawer(opened.bundle)
    if drawer.tabular:
        widgets.table(views.changes(opened.bundle, found), "What the candidate changes")
    elif text := drawer.text_diff(*views.pair(opened.bundle, found)):
        st.html(text)
        st.caption(drawer.attacked_legend)
    else:
        caption = f"Row {found.row}: {found.before} would be {found.after}. {drawer.attacked_legend}"
        widgets.figure(opened, "counterfactual", caption, method, str(found.row), width=drawer.pixels[2])
