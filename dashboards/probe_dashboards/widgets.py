"""The widgets of the pages. All text of a bundle is escaped here before it reaches the browser."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal
from zlib import crc32

import pandas as pd
import streamlit as st

from probe.audit import Bundle
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.folding import folded
from probe_dashboards.views import links, panels, ran, terms
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.runs import Folder, Opened
from probe_dashboards.views.words import finite, md, plained

SHORT = 100  # rows of a table that are shown without scrolling
TALL = 320  # height of the numbers behind a panel, in pixels
NAME, NARROW = 18, 150  # characters of a name that fits beside its value; pixels of a column of longer ones
ROW = 35  # height of a row of a scrolling table, in pixels
OPEN = "show"  # in the address, before the name of a part of a page that is open
INSIDE = "part of the page"  # of the session: its key in the address, while it is drawn
ZOOMED = "figures that zoom"  # of the session: their names
SEEN = "terms seen"  # of the session: the terms that the page has used
LONGEST = 60  # characters of a text that is searched for
SHORTCUTS = {"Previous": "Alt+P", "Next": "Alt+N"}  # never a bare key, which speech input would press
ZOOM = "Ctrl and the wheel zoom in, dragging moves, a double click shows all again."


def control(
    opened: Opened | Folder, key: str, label: str, titles: Mapping[str, str], default: str = "", **look: Any
) -> str:
    """A select box whose value, an id, is kept in the page's address. `look` is passed to `select`."""
    value = asked(opened, key, list(titles), default)
    select(key, label, value, titles, **look)
    return value


def asked(opened: Opened | Folder, key: str, options: Sequence[str], default: str = "") -> str:
    """The value in the page's address; if it does not exist, the nearest that does, with a warning."""
    choice = state.choose(key, st.query_params.get(key), options, default)
    if choice.stale:
        opened.messages.warning(md(choice.stale), icon=":material/link_off:")
    return choice.value


def select(key: str, label: str, value: str, titles: Mapping[str, str], *, drops: str = "", width: int = 300) -> None:
    """A select box that writes its value to the page's address, and removes the value of the key `drops`."""
    st.session_state[key] = value
    st.selectbox(
        label,
        list(titles),
        format_func=lambda option: visible(titles[option]),
        key=key,
        on_change=_follow,
        args=(key, drops),
        width=width,
    )


def pick(key: str, label: str, value: str, titles: Mapping[str, str], hint: str, width: int = 300) -> None:
    """A select box in which nothing need be chosen; what is chosen is written to the page's address."""
    st.session_state[key] = value or None
    look: dict[str, Any] = {"index": None, "placeholder": hint, "width": width}
    st.selectbox(label, list(titles), format_func=titles.__getitem__, key=key, on_change=_follow, args=(key,), **look)


def slider(opened: Opened, key: str, label: str, titles: Mapping[str, str], default: str, width: int = 620) -> str:
    """A slider over ordered values, kept in the page's address."""
    value = asked(opened, key, list(titles), default)
    st.session_state[key] = value
    st.select_slider(
        label, list(titles), format_func=titles.__getitem__, key=key, on_change=_follow, args=(key,), width=width
    )
    return value


def step_button(key: str, label: str, value: str | None, icon: str) -> None:
    """A button that sets another value; disabled where there is none."""
    look: dict[str, Any] = {"icon": icon, "disabled": value is None, "shortcut": SHORTCUTS.get(label)}
    st.button(label, key=f"to {label}", on_click=go, args=(key, value), **look)


def go(key: str, value: str | None) -> None:
    """Write a value to the page's address."""
    if value is not None:
        st.query_params[key] = value


def evidence(opened: Opened, page: str) -> None:
    """A link to the page that shows the evidence."""
    st.page_link(
        opened.pages[page], label="See the evidence", icon=":material/arrow_forward:", query_params={"run": opened.id}
    )


def row_link(opened: Opened, row: str, label: str) -> None:
    """A link to the page of one row."""
    query = {"run": opened.id, "row": row}
    st.page_link(opened.pages["instance"], label=md(label), icon=":material/image_search:", query_params=query)


def cells(frame: pd.DataFrame, *marked: str) -> pd.DataFrame:
    """A table of foreign text, escaped for Markdown but for the columns that are `marked`, which are Markdown."""
    plain = frame.drop(columns=list(marked))
    return frame.assign(**{str(name): plain[name].map(lambda cell: md(cell)) for name in plain})


def heading(title: str, what: str) -> None:
    """The title of a page, and the question that it answers in words of probe's own."""
    st.session_state[SEEN] = set()  # a term is marked where a page uses it first
    st.title(title, anchor=False)
    st.caption(terms.termed(what, _seen()))


def said(text: str, *, small: bool = False) -> None:
    """Sentences of probe's own, without names from people or data, with the terms that are new on the page marked."""
    (st.caption if small else st.markdown)(terms.termed(text, _seen()))


def search(key: str, placeholder: str) -> str:
    """A field for words to search for, which are kept in the page's address."""
    text = st.query_params.get(key, "")[:LONGEST]
    st.session_state[key] = text
    look: dict[str, Any] = {"max_chars": LONGEST, "width": 300, "placeholder": placeholder}
    st.text_input("Search", key=key, on_change=_searched, args=(key,), **look)
    return text


def about(pages: Mapping[str, Any], known: Callable[[], Mapping[str, str]]) -> None:
    """Links to what the methods do that a page names: names to titles, looked up when somebody opens this part."""
    folded("What the methods here do", "about", lambda: _about(pages, known()), ":material/menu_book:")


def _about(pages: Mapping[str, Any], methods: Mapping[str, str]) -> None:
    if not methods:
        st.text("The packages that these methods come from are not installed here.")
    with st.container(horizontal=True):
        for name, title in methods.items():
            st.page_link(pages["methods"], label=md(title), query_params={"m": name})


def part(name: str, title: str, label: str, draw: Callable[[], None], *keys: str) -> None:
    """A part of a page below its first screen, drawn by `draw` when somebody opens it.

    Links to its panels open it, and so does an address with one of the `keys` that its controls write.
    """
    section(title, name)
    key = f"{OPEN}-{name}"

    def drawn() -> None:
        st.session_state[INSIDE] = key
        try:
            draw()
        finally:
            del st.session_state[INSIDE]

    folded(label, key, drawn, wanted=any(each in st.query_params for each in (key, *keys)))


def section(title: str, name: str = "") -> None:
    """The heading of a part of a page; `name` is that of its panel, so that a link leads to it."""
    st.header(title, anchor=name or False)


def table(frame: pd.DataFrame, alt: str) -> None:
    """A table of foreign text that a screen reader reads, some of whose cells may lead to other pages."""
    st.html(links.html(frame, alt))


def markdown_table(frame: pd.DataFrame, alt: str) -> None:
    """A table whose cells are Markdown already, of the marks that `marks` knows."""
    st.html(links.html(frame, alt, marked=True))


def method_table(opened: Opened, kind: str, frame: pd.DataFrame, alt: str) -> None:
    """A table whose first column names methods of a kind, which lead to what they do."""
    table(ran.linked(opened.bundle, kind, frame), alt)


@st.fragment
def figure(opened: Opened, name: str, caption: str, *keys: str, width: int | Literal["stretch"]) -> None:
    """A figure by name and parameters; its caption is also its alternative text.

    It is static, which a browser draws at once. Where there is a chart of it that can be zoomed, a button asks for
    that; all figures of the name are then charts, as long as the session lasts, and the static one is for print.
    """
    drawn = svg(name, opened.folder, opened.stamp, *keys, _bundle=opened.bundle)
    chart = zoomable(name, opened.folder, opened.stamp, *keys, _bundle=opened.bundle)
    mark, asked = _mark([name, *keys]), name in _asked_for()
    if chart is None and width == "stretch":
        _static(drawn, caption)
        return
    # Inside a container of that width, so that it shrinks with a narrow window.
    with st.container(width=width, gap="xxsmall"):
        if chart and asked:
            with st.container(key=f"screen-{mark}", gap=None):
                st.vega_lite_chart(spec=chart, width="stretch", alt=visible(caption))
                st.caption(md(caption))
                with st.container(key=f"hint-{mark}"):
                    st.caption(ZOOM)
            with st.container(key=f"print-{mark}"):
                _static(drawn, caption)
        else:
            _static(drawn, caption)
        if chart:
            look: dict[str, Any] = {"type": "tertiary", "on_click": _zoom, "args": (name,), "key": f"zoom {mark}"}
            if asked:
                st.button("Static figure", icon=":material/image:", **look)
            else:
                st.button("Zoom this figure", icon=":material/zoom_in:", **look)


def _static(drawn: str, caption: str) -> None:
    st.image(drawn, caption=md(caption), width="stretch", alt=visible(caption))


def _zoom(name: str) -> None:
    _asked_for().symmetric_difference_update({name})


def _asked_for() -> set[str]:
    """The names of the figures whose charts somebody asked for in this session."""
    found: set[str] = st.session_state.setdefault(ZOOMED, set())
    return found


@st.cache_data(max_entries=400, ttl=3600, show_spinner=False)
def svg(name: str, folder: str, stamp: str, *keys: str, _bundle: Bundle) -> str:
    """A figure as SVG. `folder` and `stamp` are only part of the cache key: a changed audit is drawn again."""
    from probe_dashboards import figures  # loads matplotlib, which the first page does without

    return figures.svg(name, _bundle, *keys)


@st.cache_data(max_entries=400, ttl=3600, show_spinner=False)
def zoomable(name: str, folder: str, stamp: str, *keys: str, _bundle: Bundle) -> dict[str, Any] | None:
    """The chart of a figure that can be zoomed, if there is one. `folder` and `stamp` as in `svg`."""
    from probe_dashboards import charts  # as in `svg`

    return charts.chart(name, _bundle, *keys)


def behind(opened: Opened, panel: Panel) -> None:
    """What stands behind a panel: what it does not show, its numbers, its link, and how to have them elsewhere.

    The heading of the panel is `section(title, panel.name)`.
    """
    facts(panel, panels.command(opened.bundle, panel), panels.python(opened.bundle, panel))


def facts(panel: Panel, command: str, python: str) -> None:
    """What stands behind a panel of any page, with the command and the Python that give its numbers."""
    inside = {st.session_state[INSIDE]: "1"} if INSIDE in st.session_state else {}
    folded(
        f"{md(panel.title)}: numbers, limits, link and code",
        f"numbers {panel.name}",
        lambda: _facts(panel, command, python, inside),
        ":material/data_object:",
    )


def _facts(panel: Panel, command: str, python: str, inside: Mapping[str, str]) -> None:
    st.caption(f"Not shown here: {md(panel.lacks)}")
    data_table(panel.numbers, height=TALL)
    st.download_button(
        "Numbers as CSV",
        lambda: panels.csv(panel),
        f"{panel.name}.csv",
        "text/csv",
        key=f"csv {panel.name}",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption("Link to this panel as it is shown")
    asked = {**st.query_params.to_dict(), **inside}
    st.code(panels.link(st.context.url or "", asked, panel.name), language=None, wrap_lines=True)
    st.caption("Command")
    st.code(command, language="bash", wrap_lines=True)
    st.caption("Python")
    st.code(python, language="python", wrap_lines=True)


def record_table(frame: pd.DataFrame, alt: str) -> None:
    """A table of foreign text with many columns, which can be scrolled; on a narrow screen its rows are cards."""
    if len(frame) <= SHORT:
        table(frame, alt)
        return
    with st.container(key=f"broad-{_mark([alt])}"):
        data_table(frame)
    with st.container(key=f"narrow-{_mark([alt])}"):
        table(frame, alt)


def data_expander(title: str, make: Callable[[], pd.DataFrame]) -> None:
    """Numbers of foreign text, folded away and made when they are looked at."""
    folded(title, f"table {title}", lambda: data_table(make()))


def input_table(frame: pd.DataFrame) -> None:
    """The names and values of an input; long names leave room for the values; a double click shows them whole."""
    names, long = str(frame.columns[0]), frame.iloc[:, 0].astype(str).str.len().max() > NAME
    data_table(frame, 300, {names: NARROW} if long else {})


def data_table(
    frame: pd.DataFrame, height: int | None = None, widths: Mapping[str, int] = MappingProxyType({})
) -> None:
    """A large table of foreign text, which can be scrolled; `widths` are those of some columns, in pixels."""
    # With a fixed height, a table of a few rows would be filled up with empty ones.
    cut: int | Literal["auto"] = height if height and ROW * (len(frame) + 1) > height else "auto"
    wide = {name: st.column_config.Column(width=width) for name, width in widths.items()}
    st.dataframe(finite(plained(frame)), hide_index=True, width="stretch", height=cut, column_config=wide)


def listing(frame: pd.DataFrame, alt: str) -> None:
    """A table of foreign text; a long one scrolls."""
    if len(frame) <= SHORT:
        table(frame, alt)
    else:
        data_table(frame)


def limits(*sentences: str) -> None:
    """The limits of what a page shows. Every page ends with them."""
    section("What this does not show")
    st.markdown(terms.listed(sentences, _seen()))


def not_run(what: str, why: str, how: str = "") -> None:
    """A note in place of a section that the audit did not run: not run does not mean passed."""
    st.info(f"**{what} was not run:** {md(why.removesuffix('.'))}.", icon=":material/do_not_disturb_on:")
    if how:
        st.code(how, language=None, wrap_lines=True)


def cards(numbers: Sequence[tuple[str, str, str]]) -> None:
    """Numbers side by side: what each is of, in Markdown of the marks that `marks` knows, and its interval, or none."""
    st.html(links.cards(numbers))


def _mark(words: Sequence[str]) -> int:
    """A number that tells texts apart, as the keys of containers are seen in the page."""
    return crc32("\0".join(words).encode("utf-8", "replace"))


def _seen() -> set[str]:
    found: set[str] = st.session_state.setdefault(SEEN, set())
    return found


def _searched(key: str) -> None:
    text = str(st.session_state[key]).strip()
    for name in (key, "page"):
        if name in st.query_params:
            del st.query_params[name]
    if text:
        st.query_params[key] = text


def _follow(key: str, drops: str = "") -> None:
    if st.session_state[key] is None:
        drops = key
    else:
        st.query_params[key] = str(st.session_state[key])
    if drops in st.query_params:
        del st.query_params[drops]
