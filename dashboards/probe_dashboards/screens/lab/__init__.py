"""The lab: a live model is asked why it answers as it does, how little changes its answer, and what if."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from probe_dashboards import state, widgets
from probe_dashboards.lab import Lab
from probe_dashboards.screens import methods as known
from probe_dashboards.screens.lab import attacking, auditing, choosing, editing, explaining
from probe_dashboards.screens.lab.asked import Asked
from probe_dashboards.views.lab import methods
from probe_dashboards.views.words import md

ONE = "What is shown here holds for one input; an audit says how it is over all of them, with intervals."
LIMITS = {
    "explain": (
        ONE,
        "An explanation says what a method found, not why the model learned it; its quality is measured below it.",
    ),
    "attack": (ONE, "That this attack changed nothing does not show that no other could."),
    "what-if": (
        ONE,
        "The model answers any input it can be sent, also one that is like none it was trained on.",
        "A change here is of the input alone: in the world, what depends on it would change too.",
    ),
    "audit": (
        "An audit tests what its plan asks for, and nothing else.",
        "How long it takes is estimated from a few inputs, on this machine as busy as it is now.",
    ),
}
VIEWS = {
    "explain": ("Explain", explaining.draw),
    "attack": ("Attack", attacking.draw),
    "what-if": ("What if", editing.draw),
    "audit": ("Audit", auditing.draw),
}


def draw(lab: Lab, pages: Mapping[str, Any]) -> None:
    """Draw the page; `pages` are those of the viewer, which links lead to."""
    widgets.heading("Lab", "Ask a live model. Nothing here changes an audit that is there.")
    if not lab.models:
        st.info("No model is offered here. Name one: probe dashboard --live adult-mlp", icon=":material/info:")
        return
    model = _chosen(lab)
    answer = lab.ask(model, {"ask": "describe"}, doing="Looking at the model")
    if answer is None:
        return
    asked = Asked(lab, model, answer, pages)
    _about(asked)
    widgets.about(asked.pages, lambda: methods.offered(asked.described, known.entries()))
    view = _view()
    if view == "audit":
        auditing.draw(asked)
        return
    row = choosing.row(asked)
    if row is not None and choosing.answered(asked, row):
        VIEWS[view][1](asked, row)  # type: ignore[operator]  # those of a row take one


def limits() -> Sequence[str]:
    """What the view in the address does not show."""
    return LIMITS[state.choose("view", st.query_params.get("view"), list(VIEWS)).value]


def _chosen(lab: Lab) -> str:
    model = _asked("model", list(lab.models))
    widgets.select("model", "Model", model, lab.models, drops="row", width=340)
    return model


def _about(asked: Asked) -> None:
    told = asked.described
    data = told["data"]
    decides = f" {told['decides']}" if told["decides"] else ""
    st.caption(md(f"Data: {data['name']}, {data['rows']:,} rows, role {data['role']}.{decides}"))
    for notice in told["notices"]:
        st.caption(f":material/info: {md(notice)}")


def _view() -> str:
    titles = {key: title for key, (title, _) in VIEWS.items()}
    view = _asked("view", list(titles))
    st.session_state["view"] = view
    st.segmented_control(
        "What to do", list(titles), format_func=titles.__getitem__, key="view", on_change=_viewed, required=True
    )
    return view


def _asked(key: str, options: Sequence[str]) -> str:
    """What the address asks for, or the nearest that exists, with a warning."""
    choice = state.choose(key, st.query_params.get(key), options)
    if choice.stale:
        st.warning(md(choice.stale), icon=":material/link_off:")
    return choice.value


def _viewed() -> None:
    st.query_params["view"] = str(st.session_state["view"])
