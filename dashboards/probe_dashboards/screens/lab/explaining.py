"""Why does it answer so? Several methods side by side, each with its quality."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from probe.lab import Answer
from probe.text import visible
from probe_dashboards import forms, widgets
from probe_dashboards.screens.lab import keeping
from probe_dashboards.screens.lab.asked import Asked, Row, code, figure, target, unsuited
from probe_dashboards.views.lab import commands, explanations, inputs, methods, settings
from probe_dashboards.views.words import md

SAMPLE = 20  # rows that the quality is averaged over


def draw(asked: Asked, row: Row) -> None:
    """Draw the part."""
    widgets.section("Explanations")
    there = methods.suited(asked.described, "explainer")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Methods",
            list(there),
            methods.usual(asked.described, "explainer"),
            format_func=there.__getitem__,
            key=f"lab explainers {asked.model}",
        )
        explained = target(asked, row, "lab explained")
    asks = _requests(asked, chosen, explained)
    unsuited(asked, "explainer")
    found = {}
    for title, request in asks.items():
        answer = asked.ask(f"Explaining by {title}", request, row)
        if answer is not None:
            found[title] = answer
    if not found:
        return
    top = explanations.order(asked.drawer, found)
    st.markdown(asked.drawer.legend)
    width = asked.drawer.pixels[1]
    with st.container(horizontal=True, gap="small"):
        for title, answer in found.items():
            with st.container(width=width):
                _one(asked, title, answer, top)
                code(*commands.explained(asked.source, row.named, asks[title]))
    widgets.data_expander("Values by feature", lambda: explanations.table(asked.drawer, found, top))
    if len(found) > 1:
        st.subheader("Do they agree?", anchor=False)
        widgets.table(explanations.agreement(asked.drawer, found), "Rank correlation between methods")
        st.caption("Spearman's rank correlation of the values by feature: 1 is the same order, 0 is no relation.")
    _quality(asked, row, {title: asks[title] for title in found})
    keeping.draw(asked, row, [asks[title] for title in found])


def drawn(asked: Asked, title: str, answer: Answer, top: list[int], prefix: str = "", shown: Any = None) -> None:
    """An explanation over its input."""
    drawer = asked.drawer
    example = inputs.example(drawer, answer) if shown is None else shown
    values = explanations.values(drawer, answer, top, prefix)
    if text := drawer.text(example, values):
        st.html(text)
        return
    key = drawer.key(example, values)
    caption = f"Values by {visible(title)}" + (f": {key}" if key else "")
    figure(asked, "explained", (example, values), caption, drawer.pixels[1])


def _one(asked: Asked, title: str, answer: Answer, top: list[int]) -> None:
    told: Mapping[str, Any] = answer.record["explanation"]
    st.markdown(f"**{md(title)}**  \nfor {md(told['target_name'])}")  # two lines each, so that maps stand at one height
    drawn(asked, title, answer, top)
    st.caption(md(told["caption"]))
    st.caption(explanations.sums(told))
    st.caption(explanations.cost(told["cost"]))


def _requests(asked: Asked, chosen: list[str], explained: str) -> dict[str, dict[str, Any]]:
    """What is asked of each method, by its title, with the settings that were filled in."""
    asks: dict[str, dict[str, Any]] = {}
    if not chosen:
        return asks
    known = asked.described["methods"]["explainer"]
    with st.expander("Settings"):
        for tab, name in zip(st.tabs([md(known[name]["title"]) for name in chosen]), chosen, strict=True):
            with tab:
                st.caption(md(known[name]["doc"] or known[name]["summary"]))
                given = forms.settings(f"lab {asked.model} {name}", settings.fields(known[name]["settings"]))
            asks[known[name]["title"]] = {"ask": "explain", "method": {"method": name, **given}, "target": explained}
    return asks


def _quality(asked: Asked, row: Row, asks: Mapping[str, dict[str, Any]]) -> None:
    st.subheader("Can they be relied on?", anchor=False)
    st.caption(f"Measured on this input, and on average over {SAMPLE} rows of the data. It asks the model many times.")
    if not st.toggle("Measure the quality", key="lab quality"):
        return
    for title, request in asks.items():
        answer = asked.ask(f"Measuring {title}", {**request, "ask": "quality", "sample": SAMPLE}, row)
        if answer is not None:
            st.markdown(f"**{md(title)}**")
            widgets.table(explanations.quality(answer), f"Quality of {title}")
