"""The thresholds that are tried on the page of groups: one for all of them, or one for each."""

import streamlit as st

from probe_dashboards import widgets
from probe_dashboards.views import apart, bias
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import as_label, md

HOW = {"one": "one for all groups", "each": "one for each group"}


def choose(opened: Opened, by: str, rate: str) -> str:
    """What is tried, as `bias.asked` reads it; empty where it is the audited threshold, or there is none to move."""
    options, audited = bias.thresholds(opened.bundle, by)
    if not options:
        return ""
    name = md(bias.decided(opened.bundle, by))
    how = widgets.control(opened, "cuts", "Threshold", HOW)
    if how == "one":
        chosen = widgets.slider(opened, "threshold", f"Predict {name} from a probability of", options, audited)
        tried = "" if chosen == audited else chosen
    else:
        tried = _each(opened, by, options, audited)
    if tried:
        st.info(
            "**What if.** Rates, gaps and intervals are recomputed from the stored scores"
            f"{worded(tried)}. The audit and its findings use the model's own threshold, {audited}.",
            icon=":material/tune:",
        )
    if how == "each":
        _costs(opened, by, rate, tried)
    return tried


def worded(threshold: str) -> str:
    """At which thresholds, in words; empty at the audited one."""
    if not threshold:
        return ""
    return " at a threshold for each group" if "=" in threshold else f" at a threshold of {threshold}"


def _each(opened: Opened, by: str, options: dict[str, str], audited: str) -> str:
    st.markdown(f"Predict {md(bias.decided(opened.bundle, by))} from a probability of")
    moved, groups = {}, apart.sliders(opened.bundle, by)
    with st.container(horizontal=True):
        for group, title in groups.items():
            key = apart.key(by, group)
            moved[group] = widgets.slider(opened, key, as_label(title), options, audited, width=300)
    return apart.written(moved, audited)


def _costs(opened: Opened, by: str, rate: str, tried: str) -> None:
    bundle, behind = opened.bundle, apart.panel(opened.bundle, by, rate, tried)
    widgets.section("A threshold for each group", behind.name)
    widgets.record_table(apart.table(bundle, by, rate, tried), "Threshold, rate and changed decisions of each group")
    if tried:
        st.markdown(md(apart.cost(bundle, by, tried)))
    found, said = apart.equal(bundle, by, rate)
    st.markdown(md(said))
    clear = dict.fromkeys(apart.sliders(bundle, by), "")
    with st.container(horizontal=True):
        title = f"Bring together: {bias.titles(bundle)[rate]}"
        st.button(title, icon=":material/balance:", disabled=not found, on_click=_set, args=(by, clear | found))
        st.button("Back to the audited threshold", icon=":material/undo:", on_click=_set, args=(by, clear))
    widgets.behind(opened, behind)


def _set(by: str, thresholds: dict[str, str]) -> None:
    for group, at in thresholds.items():
        if at:
            st.query_params[apart.key(by, group)] = at
        else:
            st.query_params.pop(apart.key(by, group), None)
