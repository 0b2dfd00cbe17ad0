"""Which explanations can be believed, why, and what did they cost?"""

import streamlit as st

from probe.audit import reading
from probe.audit.reading import CHAPTERS
from probe_dashboards import widgets
from probe_dashboards.views import curved, explained, quality, ran, robustness, summary, together
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["explanation"]
LIMITS = CHAPTER.limits


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, "Which method can be believed, how sure is that, and what did it cost?")
    if not explained.methods(bundle):
        why = robustness.reason(bundle, "explanation")
        widgets.not_run("Explanation", why, '[explain]\nsample = 100\nmethods = ["integrated_gradients"]')
        return
    st.markdown(md(quality.summary(bundle)))
    widgets.said(CHAPTER.shows)
    behind = quality.costs(bundle)
    widgets.section("Which method can be believed", behind.name)
    believed = ran.marked(bundle, "explainer", quality.believed(bundle))
    widgets.markdown_table(widgets.cells(believed, "Method", "Checks"), "What the checks say of each method")
    widgets.behind(opened, behind)
    if len(missing := summary.not_run(bundle, "explanation").drop(columns="Aspect")):
        widgets.section("What was not run")
        widgets.table(missing, "Explanations and checks of them that were not run, and why")
    ranks, note = quality.ranks(bundle)
    if note:
        widgets.section("Ranks, as measures contradict each other")
        st.markdown(md(note))
        widgets.method_table(opened, "explainer", ranks, "The rank of each method by each measure")
    if metrics := quality.metrics(bundle):
        _spread(opened, metrics)
    if metrics := curved.metrics(bundle):
        _curves(opened, metrics)
    if together.shown(bundle):
        _together(opened)


def _curves(opened: Opened, metrics: dict[str, str]) -> None:
    bundle = opened.bundle
    widgets.section("As features are removed or added", "curves")
    metric = widgets.control(opened, "curve", "Measure of the curves", metrics)
    widgets.figure(opened, "moved", curved.said(bundle, metric), metric, width=560)
    widgets.behind(opened, curved.panel(bundle, metric))


def _together(opened: Opened) -> None:
    bundle = opened.bundle
    behind = together.panel(bundle)
    widgets.section("What matters over all rows", behind.name)
    method = widgets.control(opened, "of", "Method of the figure", explained.method_titles(bundle))
    widgets.figure(opened, "beeswarm", reading.SWARM_NOTE, method, width=560)
    widgets.table(together.table(bundle), "The mean absolute value of each feature by each method")
    widgets.behind(opened, behind)


def _spread(opened: Opened, metrics: dict[str, str]) -> None:
    bundle = opened.bundle
    widgets.section("Quality, and how it spreads over the rows", "quality")
    metric = widgets.control(opened, "metric", "Measure", metrics)
    st.markdown(md(quality.direction(bundle, metric)))
    behind = quality.panel(bundle, metric)
    caption = (
        f"{metrics[metric].capitalize()} of each method. Faint marks are single rows; above them the estimate over all "
        "rows with its 95 % interval."
    )
    widgets.figure(opened, "spread", caption, metric, width=680)
    widgets.method_table(
        opened, "explainer", quality.table(bundle, metric), "Estimate, interval and spread of each method"
    )
    widgets.section("Where it is worst")
    methods = {each.method: each.title for each in quality.spreads(bundle, metric)}
    method = widgets.control(opened, "method", "Method", methods)
    found = quality.worst(bundle, metric, method)
    if found:
        st.markdown(f"The rows where {md(methods[method])} is worst by {md(metrics[metric])}, the worst first.")
        for row, value in found.items():
            widgets.row_link(opened, row, f"Row {row}: {value}")
    else:
        st.text("This measure has no number on a single row.")
    widgets.behind(opened, behind)
