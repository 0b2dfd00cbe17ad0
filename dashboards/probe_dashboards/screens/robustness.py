"""How does accuracy fall as the radius of the attacks grows?"""

import streamlit as st

from probe.audit.reading import CHAPTERS, Attacks
from probe.text import visible
from probe_dashboards import widgets
from probe_dashboards.views import flips, robustness
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
    st.markdown(f"**{md(robustness.verdict(bundle))}**")
    norms = flips.norms(bundle)
    norm = widgets.control(opened, "norm", "Attacks by norm and goal", norms) if len(norms) > 1 else next(iter(norms))
    behind = _curves(opened, norm, *([norm] if len(norms) > 1 else []))
    if bundle.has("tables/movable.csv"):
        widgets.table(robustness.movable(bundle, norm), "Inputs that the attacks could change at all")
    if len(more := robustness.besides(bundle)):
        widgets.method_table(opened, "attack", more, "Other metrics of the attacks")
    own = flips.attacks_of(bundle, norm)
    judges = own.family.judges
    done = "broken" if judges else "moved to the goal"
    widgets.section(f"When each example is first {done}", "budgets")
    st.markdown(md(robustness.middle(bundle, norm)))
    flipping = "flips them" if judges else "reaches its goal"
    caption = (
        f"Attacked examples by the smallest radius at which any attack {flipping}, "
        f"with {own.intervals}. The page of rows lists each with its radius."
    )
    widgets.figure(opened, "breakdown", caption, *([norm] if len(norms) > 1 else []), width=680)
    broken = robustness.first_successes(bundle, norm)
    does = "breaks them" if judges else "moves them to the goal"
    widgets.table(broken, f"Examples by the radius at which each attack first {does}")
    widgets.behind(opened, behind["budgets"])
    widgets.section("How the attacks were run", "attacks")
    widgets.method_table(opened, "attack", robustness.settings(bundle), "How each attack was run")
    widgets.behind(opened, behind["attacks"])


def _curves(opened: Opened, norm: str, *key: str) -> dict[str, Panel]:
    bundle, own = opened.bundle, flips.attacks_of(opened.bundle, norm)
    _worst(own)
    widgets.section(f"{own.measure} by radius", "curves")
    choices = robustness.choices(bundle, norm)
    by = widgets.control(opened, "by", "Curves by", choices) if len(choices) > 1 else robustness.ATTACK
    what = "each attack" if by == robustness.ATTACK else "each group, under all attacks"
    worst = (
        "'All attacks' counts an example as right only if no attack breaks it."
        if own.family.judges
        else f"The attacks' goal: {visible(own.aimed)}. An example withstands 'all attacks' if none reaches the goal."
    )
    if robustness.bracketed(bundle, norm):
        worst += " Robust accuracy lies between what is certified and what all attacks left."
    caption = f"{own.measure} of {what} against the radius. Bands are {own.intervals}. {worst}"
    widgets.figure(opened, "curves", caption, by, *key, width=680)
    if told := own.in_units:
        st.markdown(md(told))
    numbers, alt = robustness.shown(bundle, by, norm), f"{own.measure} by radius, with {own.intervals}"
    if by == robustness.ATTACK:
        widgets.method_table(opened, "attack", numbers, alt)
    else:
        widgets.table(numbers, alt)
    behind = robustness.behind(bundle, by, norm)
    widgets.behind(opened, behind["curves"])
    return behind


def _worst(own: Attacks) -> None:
    found = own.worst
    st.markdown(f"Worst case over all attacks, with {own.intervals}, n = {found.counted}")
    if own.ended:
        st.markdown(md(own.ended))
    widgets.cards([(md(point.at), point.written.value, f"[{point.written.ends}]") for point in found.points])
