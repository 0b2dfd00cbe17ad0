"""The terms of the glossary in the texts of a page, and as its own page shows them."""

import pandas as pd

from probe.glossary import SECTIONS, TERMS, Term, marked
from probe_dashboards.views.words import md


def termed(text: str, seen: set[str]) -> str:
    """A text of probe's own as Markdown, in which the first use of each term leads to its meaning.

    Never give it names from people or data. Links are written by reference, below the text: a place that may hold
    foreign text has no link that stands in the text itself, and a table has no place for them.
    """
    pieces = marked(text, seen)
    written = "".join(f"[{md(part)}][{slug}]" if slug else md(part) for part, slug in pieces)
    used = [f'[{slug}]: glossary?term={slug} "{TERMS[slug].meaning}"' for _, slug in pieces if slug]
    return "\n".join([written, "", *used]) if used else written


def listed(sentences: tuple[str, ...], seen: set[str]) -> str:
    """Sentences as a list."""
    parts = [termed(sentence, seen).partition("\n") for sentence in sentences]
    links = "".join(rest for _, _, rest in parts)
    return "\n".join(f"- {line}" for line, _, _ in parts) + (f"\n{links}" if links else "")


def chosen(text: str) -> dict[str, list[Term]]:
    """The terms by section in which every word of a text stands."""
    words = text.lower().split()
    found = {
        title: [t for t in terms if all(w in " ".join((t.name, t.meaning, *t.also)).lower() for w in words)]
        for title, terms in SECTIONS.items()
    }
    return {title: terms for title, terms in found.items() if terms}


def table() -> pd.DataFrame:
    """A row for each term."""
    rows = [
        (title, term.name, term.meaning, ", ".join(term.also), ", ".join(TERMS[slug].name for slug in term.see))
        for title, terms in SECTIONS.items()
        for term in terms
    ]
    return pd.DataFrame(rows, columns=["Section", "Term", "Meaning", "Also written", "See"])
