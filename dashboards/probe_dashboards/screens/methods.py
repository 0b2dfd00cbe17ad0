"""What does each method do, from which paper, at what cost, and with which settings?"""

from functools import partial

import streamlit as st

from probe import guests
from probe_dashboards import state, widgets
from probe_dashboards.folding import folded
from probe_dashboards.views import methods
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.runs import Folder
from probe_dashboards.views.words import md

LIMITS = (
    "Each method describes itself here; its quality checks measure whether it is right about a model.",
    "A method of another package is shown as it describes itself, and was not reviewed by probe.",
    "Costs are those of other audits in this folder, of their models, rows and machines.",
)


def draw(folder: Folder) -> None:
    """Draw the page."""
    widgets.heading("Methods", "What does each method do, from which paper, at what cost, and with which settings?")
    known = entries()
    families = {"all": "all methods"} | {each.family: methods.family(each.family) for each in known.values()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        family = widgets.control(folder, "family", "Show", families, drops="m")
        text = widgets.search("q", "name, paper, words")
    asked = st.query_params.get("m", "")
    if asked:
        choice = state.choose("method", asked, list(known))
        if choice.stale:
            folder.messages.warning(md(choice.stale), icon=":material/link_off:")
        _one(known[choice.value], folder, alone=True)
        st.page_link(folder.pages["methods"], label="All methods", icon=":material/list:")
        return
    found = methods.chosen(known, "" if family == "all" else family, text)
    if not found:
        st.text("No method matches. Search for fewer words.")
    for title in dict.fromkeys(methods.family(each.family) for each in found):
        widgets.section(md(title))
        for each in (each for each in found if methods.family(each.family) == title):
            folded(f"**{md(each.title)}**  \n{md(each.summary)}", each.name, partial(_one, each, folder))
    panel = Panel("methods", "All methods", partial(methods.table, found), LIMITS[0], "")
    widgets.facts(panel, "probe methods", 'from probe.registry import listed\n\nlisted("explainer")')


def entries() -> dict[str, methods.Entry]:
    """Every method there is, read once for each set of packages that bring some."""
    return _entries(*guests.named())


@st.cache_data(max_entries=5, show_spinner=False)
def _entries(*packages: str) -> dict[str, methods.Entry]:
    return methods.entries()


def _one(entry: methods.Entry, folder: Folder, *, alone: bool = False) -> None:
    if alone:
        widgets.section(md(entry.title), entry.name.replace("_", "-"))
        st.markdown(md(entry.summary))
    for paragraph in entry.paragraphs:
        st.markdown(md(paragraph))
    widgets.markdown_table(methods.facts(entry), f"What is known of {entry.title}")
    if entry.settings:
        widgets.table(methods.settings(entry), f"Settings of {entry.title}")
    else:
        st.caption("It has no settings.")
    for cost in methods.costs(entry, folder.runs):
        st.caption(md(f"It cost in {cost}."))
    if alone:
        panel = Panel(
            entry.name.replace("_", "-"),
            entry.title,
            methods.settings(entry),
            methods.LIMITS.get(entry.family, LIMITS[0]),
            "",
        )
        widgets.facts(panel, methods.command(entry), methods.python(entry))
    else:
        st.page_link(
            folder.pages["methods"],
            label=f"Link to {md(entry.title)}",
            icon=":material/link:",
            query_params={"m": entry.name},
        )
