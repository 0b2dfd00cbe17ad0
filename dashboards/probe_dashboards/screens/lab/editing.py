"""What if? Features are edited within what the model can be sent, and a protected attribute is flipped."""

from typing import Any

import streamlit as st

from probe.lab import Answer
from probe_dashboards import forms, widgets
from probe_dashboards.screens.lab import explaining
from probe_dashboards.screens.lab.asked import Asked, Row, before_and_after
from probe_dashboards.views.lab import answers, edits, explanations, inputs, methods, settings
from probe_dashboards.views.words import as_label, md

ACROSS = 4  # features in a line


def draw(asked: Asked, row: Row) -> None:
    """Draw the part."""
    widgets.section("What if?")
    plain = asked.ask("Asking the model", {"ask": "answer"}, row)
    if plain is None:
        return
    fields = edits.fields(asked.described, plain)
    if not fields:
        st.info(
            "The inputs of this model have no features that can be edited by name.", icon=":material/do_not_disturb_on:"
        )
    else:
        changed = _edited(asked, fields, row)
        explainer, called = before_and_after(asked, "edit")
        if changed:
            _outcome(asked, Row({**row.named, "edits": changed}, row.arrays), explainer, called)
        else:
            st.text("Nothing is changed yet.")
    _flip(asked, row)
    _search(asked, row)


def _edited(asked: Asked, fields: list[edits.Edit], row: Row) -> dict[str, str]:
    given: dict[str, str] = {}
    st.caption(
        "Change a value: the model is asked again. A value that the model cannot be sent is refused, with the reason."
    )
    for start in range(0, len(fields), ACROSS):
        for column, one in zip(st.columns(ACROSS), fields[start : start + ACROSS], strict=False):
            key = f"lab edit {asked.model} {sorted(map(str, row.named.items()))} {one.name}"
            with column:
                label = as_label(one.label)
                if one.choices:
                    options = list(one.choices)
                    value = st.selectbox(
                        label,
                        options,
                        options.index(one.value) if one.value in options else 0,
                        format_func=edits.shown,
                        key=key,
                        help=md(one.help) or None,
                    )
                else:
                    value = st.text_input(label, one.value, key=key, help=md(one.help) or None, max_chars=100)
                if value != one.value:
                    given[one.name] = value
    return given


def _outcome(asked: Asked, row: Row, explainer: str, title: str) -> None:
    request: dict[str, Any] = {"ask": "edit"} | ({"explainer": explainer} if explainer else {})
    answer = asked.ask("Asking about the edited input", request, row)
    if answer is None:
        return
    st.markdown(edits.outcome(answer))
    widgets.table(edits.changes(answer.record["changed"]), "What was edited")
    if said := inputs.lengths(answer.record["lengths"]):
        st.caption(md(f"Distance from the input: {said}."))
    widgets.table(edits.beside(answer), "The answer before and after")
    if explainer:
        _explained(asked, answer, title)


def _explained(asked: Asked, answer: Answer, title: str) -> None:
    width, top = asked.drawer.pixels[1], explanations.order(asked.drawer, {title: answer})
    with st.container(horizontal=True, gap="small"):
        for name, told, prefix in (
            ("Before", answer.record["explanation"], ""),
            ("After", answer.record["after_explanation"], "after_"),
        ):
            with st.container(width=width):
                st.markdown(f"**{name}**, for {md(told['target_name'])}")
                shown = edits.example(asked.drawer, answer) if prefix else None
                explaining.drawn(asked, title, answer, top, prefix, shown)
                st.caption(explanations.sums(told))


def _flip(asked: Asked, row: Row) -> None:
    groups = edits.protected(asked.described)
    if not groups:
        return
    st.subheader("Flip a protected attribute", anchor=False)
    st.caption("The attribute alone, and together with the features that depend on it most in the data, its proxies.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        attribute = st.selectbox(
            "Attribute", list(groups), format_func=groups.__getitem__, key=f"lab flip {asked.model}", width=220
        )
        proxies = st.number_input("Proxies", 0, 10, 3, key="lab proxies", width=140)
    answer = asked.ask("Flipping the attribute", {"ask": "flip", "attribute": attribute, "proxies": int(proxies)}, row)
    if answer is not None:
        st.markdown(answers.sentence(answer.record["before"], answer.arrays, "before_"))
        widgets.table(edits.flips(answer), "The answer with other values")
        st.caption(md(answer.record["measured"]))
        widgets.data_expander("How far features depend on it", lambda: edits.dependence(answer))


def _search(asked: Asked, row: Row) -> None:
    there = methods.suited(asked.described, "counterfactual")
    if not there:
        return
    st.subheader("What would have to be different?", anchor=False)
    name = st.selectbox(
        "Search", list(there), format_func=there.__getitem__, key=f"lab search {asked.model}", width=300
    )
    told = asked.described["methods"]["counterfactual"][name]
    with st.expander(f"Settings of {md(told['title'])}"):
        st.caption(md(told["doc"] or told["summary"]))
        given = forms.settings(f"lab {asked.model} {name}", settings.fields(told["settings"]))
    if not st.toggle("Search for other inputs with another answer", key="lab searching"):
        return
    answer = asked.ask("Searching", {"ask": "counterfactual", "method": {"method": name, **given}}, row)
    if answer is not None:
        widgets.table(edits.candidates(answer), "Inputs with another answer")
        st.caption("The distance is the sum of all changes, each in the unit of the space.")
