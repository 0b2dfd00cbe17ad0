"""What is shown can be kept: the same, carried out as an audit of this row, in the folder of runs."""

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from probe.lab.jobs import digest
from probe_dashboards.screens.lab.asked import Asked, Row, open_link
from probe_dashboards.views.words import md


def draw(asked: Asked, row: Row, requests: Sequence[dict[str, Any]]) -> None:
    """A button that keeps what is shown as one bundle."""
    st.subheader("Keep it" if len(requests) == 1 else "Keep them side by side", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name of the bundle", f"lab-{_slug(asked.described['name'])}", key="lab keep name", max_chars=60
        )
        what = [{**request, "row": dict(row.named)} for request in requests]
        asks = {"ask": "keep", "what": what, "name": name}
        begun = f"keep {asked.model} {digest(asks, row.arrays)}"  # another row, method or name was not kept
        st.button(
            "Keep as a bundle",
            icon=":material/save:",
            key="lab keep",
            on_click=asked.lab.start,
            args=(begun, asked.model, asks, row.arrays),
        )
    done = asked.lab.started(begun, doing="Writing the bundle")
    if done is not None:
        st.success(
            f"Kept as {md(done.record['name'])}, with digest {md(str(done.record['digest']))}.",
            icon=":material/save:",
        )
        open_link(asked, done)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:40]
