"""What do the words mean?"""

import streamlit as st

from probe.glossary import TERMS, Term
from probe_dashboards import state, widgets
from probe_dashboards.views import terms
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.runs import Folder
from probe_dashboards.views.words import md

LIMITS = (
    "Terms are explained as probe uses them; laws and other tools may mean something else by the same word.",
    "Whether a measure of fairness or robustness fits a use is not for a glossary to say.",
)


def draw(folder: Folder) -> None:
    """Draw the page."""
    widgets.heading("Glossary", "What do the words mean? Each is underlined where a page uses it first.")
    if asked := st.query_params.get("term", ""):
        choice = state.choose("term", asked, list(TERMS))
        if choice.stale:
            folder.messages.warning(md(choice.stale), icon=":material/link_off:")
        with st.container(border=True):
            _one(TERMS[choice.value], folder)
    text = widgets.search("q", "a word")
    found = terms.chosen(text)
    if not found:
        st.text("No term has these words. Search for fewer.")
    for title, those in found.items():
        widgets.section(title)
        for term in those:
            _one(term, folder)
    widgets.facts(
        Panel("glossary", "The glossary", terms.table, LIMITS[0], ""),
        "python -c 'from probe.glossary import TERMS; [print(t.name, \":\", t.meaning) for t in TERMS.values()]'",
        'from probe.glossary import TERMS\n\nTERMS["deletion"].meaning',
    )


def _one(term: Term, folder: Folder) -> None:
    also = f" ({', '.join(term.also)})" if term.also else ""
    st.markdown(f"**{md(term.name)}**{md(also)}: {md(term.meaning)}")
    if term.see:
        with st.container(horizontal=True):
            for slug in term.see:
                st.page_link(folder.pages["glossary"], label=TERMS[slug].name, query_params={"term": slug})
