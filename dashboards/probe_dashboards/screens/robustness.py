"""How does accuracy fall as the radius of the attacks grows?"""

import streamlit as st

from probe.audit.reading import CHAPTERS
from probe_dashboards import widgets
from probe_dashboards.views import robustness
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["robustness"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    obstacle = robustness.obstacle(bundle)
    if obstacle:
        widgets.not_run("Robustness", obstacle, '[attack]\nmethods = [{method = "fgsm"}, {method = "pgd", steps = 40}]')
    else:
        _measured(opened)
    if missing := robustness.not_tried(bundle):
        widgets.section("Attacks that were not run")
        st.markdown("\n".join(f"- {md(sentence)}" for sentence in missing))


def _measured(opened: Opened) -> None:
    bundle = opened.bundle
    behind = _curves(opened)
    if bundle.has("tables/movable.csv"):
        widgets.table(robustness.movable(bundle), "Inputs that the attacks could change at all")
    if len(more := robustness.besides(bundle)):
        widgets.method_table(opened, "attack", more, "Other metrics of the attacks")
    widgets.section("When each example is first broken", "budgets")
    st.markdown(md(robustness.middle(bundle)))
    caption = (
        "Attacked examples by the smallest radius at which any attack flips them, with 95 % Wilson intervals. "
        "The page of rows lists each with its radius."
    )
    widgets.figure(opened, "breakdown", caption, width=680)
    broken = robustness.first_successes(bundle)
    widgets.table(broken, "Examples by the radius at which each attack first breaks them")
    widgets.behind(opened, behind["budgets"])
    widgets.section("How the attacks were run", "attacks")
    widgets.method_table(opened, "attack", robustness.settings(bundle), "How each attack was run")
    widgets.behind(opened, behind["attacks"])


def _curves(opened: Opened) -> dict[str, Panel]:
    bundle = opened.bundle
    st.markdown(f"**{md(robustness.verdict(bundle))}**")
    _worst(opened)
    widgets.section("Accuracy by radius", "curves")
    choices = robustness.choices(bundle)
    by = widgets.control(opened, "by", "Curves by", choices) if len(choices) > 1 else robustness.ATTACK
    what = "each attack" if by == robustness.ATTACK else "each group, under all attacks"
    caption = (
        f"Accuracy of {what} against the radius. Bands are 95 % Wilson intervals. 'All attacks' counts an example as "
        "right only if no attack breaks it."
    )
    widgets.figure(opened, "curves", caption, by, width=680)
    numbers, alt = robustness.shown(bundle, by), "Accuracy by radius, with 95 % Wilson intervals"
    if by == robustness.ATTACK:
        widgets.method_table(opened, "attack", numbers, alt)
    else:
        widgets.table(numbers, alt)
    behind = robustness.behind(bundle, by)
    widgets.behind(opened, behind["curves"])
    return behind


def _worst(opened: Opened) -> None:
    found = robustness.worst(opened.bundle)
    st.markdown(f"Worst case over all attacks, with 95 % Wilson intervals, n = {found.counted}")
    with st.container(horizontal=True):
        for point in found.points:
            widgets.metric_card(md(point.at), point.written.value, f"[{point.written.ends}]")
