"""What the pages are drawn with. Text of a bundle reaches the browser only through here, escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import figures, state
from dashboards.views.runs import Opened
from dashboards.views.words import escaped, md, plain, plained
from probe.audit import read


def control(key: str, label: str, options: Sequence[str], titles: Mapping[str, str] | None = None) -> str:
    """A choice that lives in the address of the page: what the link asks for, or the nearest, with a message."""
    choice = asked(key, options)
    titles = titles or {}
    st.session_state[key] = choice
    st.selectbox(
        label,
        options,
        format_func=lambda option: plain(titles.get(option, option)),
        key=key,
        on_change=_follow,
        args=(key,),
    )
    return choice


def asked(key: str, options: Sequence[str]) -> str:
    """What the link asks for among the options; a message where it cannot be had."""
    choice = state.choose(key, st.query_params.get(key), options)
    if choice.stale:
        st.warning(md(choice.stale), icon=":material/link_off:")
    return choice.value


def step(key: str, label: str, value: str | None, icon: str) -> None:
    """A button that takes the page to another value; disabled where there is none."""
    st.button(
        label, key=f"to {label}", icon=icon, disabled=value is None, width="stretch", on_click=go, args=(key, value)
    )


def go(key: str, value: str | None) -> None:
    """Put a value into the address of the page."""
    if value is not None:
        st.query_params[key] = value


def heading(title: str, what: str) -> None:
    """The title of a page, and what it answers."""
    st.title(title, anchor=False)
    st.caption(what)


def table(frame: pd.DataFrame, alt: str = "") -> None:
    """A table of foreign text that a screen reader reads."""
    markdown_table(escaped(frame), alt)


def markdown_table(frame: pd.DataFrame, alt: str = "") -> None:
    """A table whose cells are Markdown already."""
    st.table(frame, border="horizontal", hide_index=True, alt=md(alt) if alt else None)


def figure(opened: Opened, name: str, caption: str, *keys: str, width: int | str = "content") -> None:
    """A figure by its name and parameters, with a caption that is its text for those who cannot see it."""
    # Streamlit takes a width in pixels or the words "content" and "stretch".
    st.image(png(name, opened.folder, opened.stamp, *keys), caption=md(caption), width=width, alt=plain(caption))  # type: ignore[arg-type]


@st.cache_data(max_entries=400, ttl=3600, show_spinner=False)
def png(name: str, folder: str, stamp: str, *keys: str) -> bytes:
    """A figure as PNG. `stamp` is part of the key only: other files, another figure."""
    return figures.png(name, read(folder), *keys)


def data(frame: pd.DataFrame, title: str = "Data table") -> None:
    """The numbers behind a figure, for those who cannot see it and for those who want them."""
    with st.expander(title):
        st.dataframe(plained(frame), hide_index=True, width="stretch")


def limits(*sentences: str) -> None:
    """What the page does not show. Every page ends with it."""
    st.subheader("What this does not show", anchor=False)
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def absent(what: str, why: str, how: str = "") -> None:
    """A section that the bundle does not have. Not run is not passed."""
    st.info(f"**{what} was not run.** {md(why)}", icon=":material/do_not_disturb_on:")
    if how:
        st.code(how, language=None)


def measured(label: str, value: str, note: str, **settings: Any) -> None:
    """A number in a card, with what it rests on."""
    st.metric(label, value, border=True, delta=note, delta_color="off", delta_arrow="off", **settings)


def _follow(key: str) -> None:
    st.query_params[key] = str(st.session_state[key])
