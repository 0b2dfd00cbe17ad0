"""Who is treated differently, beyond chance?"""

from functools import partial

import streamlit as st

from probe.audit import reading
from probe.audit.reading import CHAPTERS
from probe_dashboards import widgets
from probe_dashboards.screens import cutting
from probe_dashboards.views import bias, robustness
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["bias"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    if bias.present(bundle):
        _compare(opened)
    else:
        why = robustness.reason(bundle, "bias")
        widgets.not_run("The comparison of groups", why, bias.remedy(bundle))


def _compare(opened: Opened) -> None:
    bundle, attributes = opened.bundle, bias.attributes(opened.bundle)
    titles, numbers = bias.titles(bundle), reading.of_numbers(bundle)
    with st.container(horizontal=True):
        by = widgets.control(opened, "by", "Groups by", attributes)
        rate = widgets.control(opened, "rate", "Mean" if numbers else "Rate", titles)
    name, assumed = bias.favourable(bundle)
    if name:
        st.markdown(f"The favourable outcome is **{md(name)}**.")
    if assumed:
        st.warning(assumed, icon=":material/help:")
    if said := bias.notice(bundle, by):
        st.markdown(md(said))
    threshold = cutting.choose(opened, by, rate)
    behind = bias.behind(bundle, by, rate, threshold)
    caption = (
        f"{titles[rate]} of each group{cutting.worded(threshold)} with its 95 % "
        + ("interval, simultaneous over all groups" if numbers else "Wilson interval")
        + f". Hollow and dotted: fewer than {bias.smallest(bundle)} rows, too few to compare."
    )
    widgets.section(md(titles[rate]), "rates")
    widgets.figure(opened, "forest", caption, by, rate, threshold, width=640)
    if short := bias.too_small(bundle, by, threshold):
        st.markdown("\n".join(f"- {md(sentence)}" for sentence in short))
    widgets.behind(opened, behind["rates"])
    widgets.section("Gaps between groups", "gaps")
    widgets.markdown_table(bias.disparities(bundle, by, threshold), "Gaps between groups with intervals")
    st.caption(
        "The end of an interval that can prove a gap holds for all pairs of groups of any size at once; the other end "
        "is that of the widest pair. p is of a permutation test. 'Would have failed' is the true gap (or ratio) of the "
        "smallest group compared that would have failed with a probability of 80 %. Thresholds are engineering choices."
    )
    widgets.behind(opened, behind["gaps"])
    widgets.section("Groups", "groups")
    widgets.record_table(bias.counts(bundle, by, threshold), "Counts and rates of each group")
    st.caption(
        "In the unit of the answers. Error: answer minus label; above 0 the answers for the group are too high. "
        "The 95 % intervals are approximate and hold for all groups at once."
        if numbers
        else "TN, FP, FN, TP: counts of true and false negatives and positives. Rates with 95 % Wilson intervals. "
        + md(bias.ratios(bundle, by, threshold))
    )
    widgets.behind(opened, behind["groups"])
    if bias.separated(bundle, by):
        label = "ROC curve of each group"
        title = "How well scores separate, by group"
        widgets.part("roc-by-group", title, label, partial(_separated, opened, by))
    few = bias.small(bundle, by)
    if len(few) and not threshold:
        widgets.section(f"{'Means' if numbers else 'Rates'} of groups with too few rows to be reliable")
        widgets.table(few, "Groups that are too small")


def _separated(opened: Opened, by: str) -> None:
    caption = "True against false positive rate of each group at every threshold. Dashed: chance."
    widgets.figure(opened, "roc_by", caption, by, width=480)
    widgets.behind(opened, bias.separated_panel(opened.bundle, by))
