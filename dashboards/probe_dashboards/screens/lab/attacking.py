"""How little changes the answer? A slider for the budget, and the explanation before and after."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from probe.lab import Answer
from probe_dashboards import forms, widgets
from probe_dashboards.screens.lab import explaining, keeping
from probe_dashboards.screens.lab.asked import Asked, Row, before_and_after, code, figure, unsuited
from probe_dashboards.views.lab import attacks, commands, explanations, methods, settings
from probe_dashboards.views.words import as_label, md

AGAINST = {"label": "the true label", "answer": "the answer that it gives"}


def draw(asked: Asked, row: Row) -> None:
    """Draw the part."""
    widgets.section("Attack")
    there = methods.suited(asked.described, "attack")
    if not there:
        st.info("No attack suits this model.", icon=":material/do_not_disturb_on:")
        unsuited(asked, "attack")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        usual = methods.usual(asked.described, "attack")[-1]
        name = st.selectbox(
            "Attack",
            list(there),
            list(there).index(usual),
            format_func=there.__getitem__,
            key=f"lab attack {asked.model}",
            width=260,
        )
        told: Mapping[str, Any] = asked.described["methods"]["attack"][name]
        threat = told["threat"] or {}
        budgets = _budgets(asked, told, threat) if told["budget"] else []
        explainer, called = before_and_after(asked, "attack")
    if budgets is None:
        return
    with st.expander(f"Settings of {md(told['title'])}"):
        st.caption(md(told["doc"] or told["summary"]))
        given = forms.settings(
            f"lab {asked.model} {name}", settings.fields(told["settings"], without=[told["budget"] or ""])
        )
    unsuited(asked, "attack")
    request: dict[str, Any] = {"ask": "attack", "method": {"method": name, **given}, "eps": budgets}
    if "row" not in row.named or "edits" in row.named:
        request["against"] = "answer"  # nobody knows its label
    if explainer:
        request["explainer"] = explainer
    answer = asked.ask(f"Attacking by {there[name]}", request, row)
    if answer is not None:
        _shown(asked, answer, there[name], called if explainer else "")
        code(*commands.attacked(asked.source, row.named, request, told["budget"] or ""))
        keeping.draw(asked, row, [request])


def _budgets(asked: Asked, told: Mapping[str, Any], threat: Mapping[str, Any]) -> list[str] | None:
    largest = st.text_input(
        as_label(attacks.asked(threat)),
        attacks.largest(asked.described),
        key=f"lab budget {asked.model} {told['title']}",
        width=180,
        max_chars=40,
    )
    try:
        return attacks.budgets(largest, counted=bool(threat.get("counted")))
    except ValueError as error:
        st.warning(md(error), icon=":material/block:")
        return None


def _shown(asked: Asked, answer: Answer, title: str, explainer: str) -> None:
    steps = answer.record["steps"]
    fallen = attacks.first(answer)
    at = 0
    if len(steps) > 1:
        chosen = st.select_slider(
            "Budget",
            range(len(steps)),
            fallen if fallen is not None else len(steps) - 1,
            format_func=lambda place: str(steps[place]["eps"]),
            key=f"lab slider {asked.model} {title}",
        )
        at = int(chosen)
    st.markdown(attacks.outcome(answer, at))
    change = attacks.measured(answer, at)
    st.caption(md(f"Attacked as {answer.record['against']}.{f' Measured change: {change}.' if change else ''}"))
    drawer = asked.drawer
    before, after, moved = attacks.pair(drawer, answer, at)
    if not moved.any():
        st.text("Nothing was changed.")
    elif text := drawer.text_diff(before, after):
        st.html(text)
        st.caption(drawer.attacked_legend)
    elif drawer.tabular:
        widgets.table(attacks.changes(before, after, moved), "What the attack changed")
    else:
        figure(
            asked,
            "attacked",
            (before, after, moved),
            f"The input {drawer.attacked_alt.format(attack=title)}",
            drawer.pixels[2],
        )
        st.caption(drawer.attacked_legend)
    widgets.data_expander("Every budget", lambda: attacks.table(answer))
    if explainer:
        _explained(asked, answer, at, explainer, after)


def _explained(asked: Asked, answer: Answer, at: int, title: str, after: Any) -> None:
    st.subheader("The explanation before and after", anchor=False)
    width = asked.drawer.pixels[1]
    top = explanations.order(asked.drawer, {title: answer})
    changed = Answer(
        answer.record,
        {
            **answer.arrays,
            "after_values": answer.arrays["after_values"][at],
            "after_by_feature": answer.arrays["after_by_feature"][at],
        },
    )
    with st.container(horizontal=True, gap="small"):
        for name, told, prefix, shown in (
            ("Before", answer.record["explanation"], "", None),
            ("After", answer.record["after"][at], "after_", after),
        ):
            with st.container(width=width):
                st.markdown(f"**{name}**, for {md(told['target_name'])}")
                explaining.drawn(asked, title, changed, top, prefix, shown)
                st.caption(explanations.sums(told))
