"""Terms of the glossary in a page: the first use of each leads to what it means."""

from markupsafe import Markup, escape

from probe.glossary import TERMS, Term, marked
from probe.text import visible


class Terms:
    """Marks terms in the order in which a page is written, and knows afterwards which ones it used."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, text: str) -> Markup:
        """A text of probe's own, without names from people or data, as HTML; what stands in `backticks` is code."""
        return Markup().join(
            Markup("<code>{}</code>").format(part) if at % 2 else self._marked(part)
            for at, part in enumerate(text.split("`"))
        )

    def _marked(self, text: str) -> Markup:
        return Markup().join(_written(visible(part, longest=None), slug) for part, slug in marked(text, self._seen))

    @property
    def used(self) -> list[Term]:
        """The terms that were marked, by name."""
        return sorted((TERMS[slug] for slug in self._seen), key=lambda term: term.name.lower())


def _written(text: str, slug: str) -> Markup:
    if not slug:
        return escape(text)
    return Markup('<a class="term" href="#term-{}" title="{}">{}</a>').format(slug, TERMS[slug].meaning, text)
