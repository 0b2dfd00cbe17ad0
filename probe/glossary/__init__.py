"""The terms of an audit, defined once for report, viewer and notebooks, and found in texts. No torch."""

from probe.glossary.marking import Piece, marked
from probe.glossary.terms import SECTIONS, TERMS, Term

__all__ = ["SECTIONS", "TERMS", "Piece", "Term", "marked"]
