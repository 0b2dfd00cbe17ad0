"""Where a text first uses a term of the glossary."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from probe.glossary.terms import TERMS


class Piece(NamedTuple):
    """A part of a text; `slug` is that of the term that it is the first use of, else empty."""

    text: str
    slug: str = ""


def marked(text: str, seen: set[str]) -> list[Piece]:
    """A text of probe's own in pieces, of which the first use of each term that is not in `seen` is one; it is added.

    Never give it text with names that come from people: a column may be called "recall".

    >>> from probe.glossary import marked
    >>> marked("It fails by deletion.", {"fail"})
    [Piece(text='It fails by ', slug=''), Piece(text='deletion', slug='deletion'), Piece(text='.', slug='')]
    """
    return list(_pieces(text, seen))


def _pieces(text: str, seen: set[str]) -> Iterator[Piece]:
    done = 0
    for match in _pattern().finditer(text):
        slug = _written()[match[0].lower()]
        if slug in seen:
            continue
        seen.add(slug)
        if match.start() > done:
            yield Piece(text[done : match.start()])
        yield Piece(match[0], slug)
        done = match.end()
    if done < len(text):
        yield Piece(text[done:])


@cache
def _written() -> Mapping[str, str]:
    """The slug of each way in which a term is written, in lower case."""
    return {form.lower(): term.slug for term in TERMS.values() for form in term.forms}


@cache
def _pattern() -> re.Pattern[str]:
    """Any term as a whole word, the longest first, written as it is defined or with a capital at a sentence's start."""
    forms = sorted((form for term in TERMS.values() for form in term.forms), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(_form, forms))})(?![\w-])")


def _form(form: str) -> str:
    first = form[0]
    start = f"[{first}{first.upper()}]" if first.islower() else re.escape(first)
    return start + re.escape(form[1:])
