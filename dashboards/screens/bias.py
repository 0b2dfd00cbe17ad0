"""Who is treated differently, beyond chance?"""

import streamlit as st

from dashboards import draw as parts
from dashboards.views import bias, robustness
from dashboards.views.runs import Opened
from dashboards.views.words import md

LIMITS = (
    "A gap is not a verdict: whether it is justified, lawful or harmful is for people to judge.",
    "No gap found is not no gap: 'detectable' is the gap that this sample would have shown.",
    "Groups that the data do not name, and people who are not in the data, were not compared.",
    "Rates by true label rest on the labels, which can be biased themselves.",
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    parts.heading("Bias", "Whose outcomes differ, by how much, and how sure is that?")
    if bias.present(bundle):
        _compare(opened)
    else:
        parts.absent("The comparison of groups", robustness.reason(bundle, "bias"), '[data]\ngroups = ["sex", "race"]')


def _compare(opened: Opened) -> None:
    bundle, attributes = opened.bundle, bias.attributes(opened.bundle)
    with st.container(horizontal=True):
        by = parts.control(opened, "by", "Groups by", attributes)
        rate = parts.control(opened, "rate", "Rate", bias.RATE_TITLES)
    st.markdown(f"The favourable outcome is **{md(bias.favourable(bundle))}**.")
    caption = (
        f"{bias.RATE_TITLES[rate]} of each group with its 95 % Wilson interval. Hollow and dotted: fewer than "
        f"{bias.smallest(bundle)} behind the rate, too few to be compared."
    )
    parts.figure(opened, "forest", caption, by, rate, width=860)
    parts.data(bias.rates(bundle, by, rate), "Data behind the figure")
    st.subheader("Gaps between groups", anchor=False)
    parts.markdown_table(bias.disparities(bundle, by), "Gaps between groups with intervals")
    st.caption(
        "Intervals are simultaneous over all pairs of groups (Bonferroni); p is of a permutation test; 'detectable' is "
        "the gap (or ratio) that the pair hardest to tell apart would have shown. Thresholds are engineering choices."
    )
    st.subheader("Groups", anchor=False)
    parts.data_table(bias.counts(bundle, by))
    st.caption("TN, FP, FN, TP: counts of true and false negatives and positives. Rates with 95 % Wilson intervals.")
    few = bias.small(bundle, by)
    if len(few):
        st.subheader("Groups too small to be compared", anchor=False)
        parts.table(few)
