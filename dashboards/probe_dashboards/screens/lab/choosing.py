"""Which input is asked about: a row of the data, or one that somebody brings."""

from typing import Any

import numpy as np
import streamlit as st

from probe_dashboards import state, widgets
from probe_dashboards.screens.lab.asked import Asked, Row, figure
from probe_dashboards.views.lab import answers, inputs, own
from probe_dashboards.views.words import md

PAGE = 24  # rows of a listing
ONLY = {"all": "all rows", "right": "answered rightly", "wrong": "answered wrongly"}


def row(asked: Asked) -> Row | None:
    """The input that is asked about; None until there is one."""
    kinds = {"data": "A row of the data", **own.kinds(asked.described)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox("Input", list(kinds), format_func=kinds.__getitem__, key="lab input", width=220)
        if kind == "data":
            return _of_data(asked)
    return _own(asked, kind)


def answered(asked: Asked, chosen: Row) -> bool:
    """Show the input and what the model says of it; whether it said anything."""
    answer = asked.ask("Asking the model", {"ask": "answer"}, chosen)
    if answer is None:
        return False
    left, right = st.columns([1, 2])
    with left:
        _input(asked, answer)
    with right:
        told = answers.of(answer)
        st.markdown(answers.sentence(told, answer.arrays))
        if groups := inputs.belongs(answer):
            st.markdown(md(groups))
        for sentence in answer.record["input"]["said"]:
            st.caption(md(sentence))
        widgets.table(answers.ranking(told, answer.arrays), "What the model answers")
    return True


def _input(asked: Asked, answer: Any) -> None:
    drawer = asked.drawer
    shown = inputs.example(drawer, answer)
    if drawer.tabular:
        widgets.input_table(inputs.cells(drawer, answer))
    elif text := drawer.text(shown):
        st.html(text)
    else:
        figure(asked, "input", (shown,), "The input", drawer.pixels[0])


def _of_data(asked: Asked) -> Row | None:
    count = int(asked.described["data"]["rows"])
    wanted = st.query_params.get("row", "")
    number = wanted.isascii() and wanted.isdigit() and len(wanted) < 10
    at = int(wanted) if number else 0
    if wanted and not number:
        shown = md(wanted[: state.LONGEST])
        st.warning(
            f"This link asks for the row {shown}, which is no number. Shown instead: 0.", icon=":material/link_off:"
        )
    elif at >= count:
        st.warning(f"There is no row {at:,}; shown is the last one.", icon=":material/link_off:")
        at = count - 1
    st.session_state["lab row"] = at
    st.number_input("Row", 0, count - 1, step=1, key="lab row", on_change=_go_to_row, width=140)
    widgets.step_button("row", "Previous", str(at - 1) if at else None, ":material/chevron_left:")
    widgets.step_button("row", "Next", str(at + 1) if at + 1 < count else None, ":material/chevron_right:")
    with st.popover("Look for a row", icon=":material/search:"):
        _listing(asked, count)
    return Row({"row": at})


def _go_to_row() -> None:
    st.query_params["row"] = str(st.session_state["lab row"])


def _listing(asked: Asked, count: int) -> None:
    """Rows to choose from, by what the model answered to them."""
    only = st.segmented_control(
        "Show", list(ONLY), format_func=ONLY.__getitem__, default="all", key="lab only", required=True
    )
    start = int(st.number_input("From row", 0, count - 1, step=PAGE, key="lab start"))
    found = asked.ask("Asking about rows", {"ask": "rows", "start": start, "count": PAGE, "only": only or "all"})
    if found is None:
        return
    frame = own.listing(found, asked.described)
    picked = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"lab list {only} {start}",
        height=320,
    )
    chosen = picked["selection"]["rows"]
    if chosen:
        row = str(found.record["rows"][chosen[0]]["row"])
        if st.query_params.get("row") != row:
            st.query_params["row"] = row
            st.rerun()


def _own(asked: Asked, kind: str) -> Row | None:
    if kind == "csv":
        text = st.text_area("Values, as a CSV file has them", own.csv(asked.described), key="lab csv", max_chars=20_000)
        return Row({"csv": text}) if text.strip() else None
    if kind == "text":
        text = st.text_area("Text", key="lab text", max_chars=20_000)
        return Row({"text": text}) if text.strip() else None
    if kind == "image":
        given = st.file_uploader("Image", type=["png", "jpg", "jpeg", "bmp", "gif", "webp"], key="lab image")
        if given is None:
            return None
        return Row({"image": "photo"}, {"photo": np.frombuffer(given.getvalue(), dtype=np.uint8)})
    given = st.file_uploader("Numbers, as a .npy file", type=["npy"], key="lab array")
    if given is None:
        return None
    try:
        return Row({"array": "mine"}, {"mine": own.numbers(given.getvalue())})
    except ValueError as error:
        st.warning(md(error), icon=":material/block:")
        return None
