"""What does each method do, from which paper, at what cost, and with which settings?"""

from functools import partial

import streamlit as st

from probe import guests
from probe_dashboards import state, widgets
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
        found = methods.chosen(known, "" if family == "all" else family, text)
        one = _asked(folder, list(known))
        titles = {each.name: each.title for each in found} | ({one: known[one].title} if one else {})
        widgets.pick("m", "Method", one, titles, "choose one", width=230)
    if one:
        _one(known[one], folder)
        st.page_link(folder.pages["methods"], label="All methods", icon=":material/list:")
        return
    if not found:
        st.text("No method matches. Search for fewer words.")
    for title in dict.fromkeys(methods.family(each.family) for each in found):
        widgets.section(md(title))
        widgets.table(methods.listed([each for each in found if methods.family(each.family) == title]), title)
    panel = Panel("methods", "All methods", partial(methods.table, found), LIMITS[0], "")
    widgets.facts(panel, "probe methods", 'from probe.registry import listed\n\nlisted("explainer")')


def _asked(folder: Folder, names: list[str]) -> str:
    """The method that a link asks for, or the nearest that exists; empty where it asks for none."""
    if not (name := st.query_params.get("m", "")):
        return ""
    choice = state.choose("method", name, names)
    if choice.stale:
        folder.messages.warning(md(choice.stale), icon=":material/link_off:")
    return choice.value


def entries() -> dict[str, methods.Entry]:
    """Every method there is, read once for each set of packages that bring some."""
    return _entries(*guests.named())


@st.cache_data(max_entries=5, show_spinner=False)
def _entries(*packages: str) -> dict[str, methods.Entry]:
    return methods.entries()


def _one(entry: methods.Entry, folder: Folder) -> None:
    widgets.section(md(entry.title), entry.name.replace("_", "-"))
    st.markdown("\n\n".join(map(md, (entry.summary, *entry.paragraphs))))
    widgets.markdown_table(methods.facts(entry), f"What is known of {entry.title}")
    if entry.settings:
        widgets.table(methods.settings(entry), f"Settings of {entry.title}")
    else:
        st.caption("It has no settings.")
    for cost in methods.costs(entry, folder.runs):
        st.caption(md(f"It cost in {cost}."))
    lacks = methods.LIMITS.get(entry.family, LIMITS[0])
    panel = Panel(entry.name.replace("_", "-"), entry.title, methods.settings(entry), lacks, "")
    widgets.facts(panel, methods.command(entry), methods.python(entry))
