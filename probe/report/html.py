"""The report: sections in, one HTML page out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from probe.audit.bundle import Bundle
from probe.audit.held import Held
from probe.audit.signing import CONSISTENT
from probe.errors import PlanError
from probe.palette import AGAINST, FOR
from probe.report.blocks import Section
from probe.report.sections import (
    bias,
    certificates,
    cost,
    counterfactuals,
    cover,
    crosswalk,
    evidence,
    explanation,
    findings_table,
    ledger,
    performance,
    robustness,
    scope,
    signoff,
    subject,
    surveys,
)
from probe.report.terms import Terms
from probe.statuses import STATUSES
from probe.text import visible


@dataclass(frozen=True)
class Choice:
    """What a report has besides its first page. Raises PlanError for a section that does not exist."""

    sections: tuple[str, ...] = ()  # by id; all of them unless given
    notes: str = ""  # of whoever has it written
    seal: str = CONSISTENT  # what the reader who has it written knows of the bundle

    def __post_init__(self) -> None:
        if odd := [name for name in self.sections if name not in SECTIONS]:
            raise PlanError(f"a report has no section {odd[0]!r}; there are {', '.join(SECTIONS)}")


# In the order in which an auditor reads: what was asked of what, what was measured, what follows, how to check it.
SECTIONS: dict[str, Callable[[Bundle], Section]] = {
    "scope": scope.section,
    "subject": subject.section,
    "ledger": ledger.section,
    "performance": performance.section,
    "bias": bias.section,
    "robustness": robustness.section,
    "certificates": certificates.section,
    "explanation": explanation.section,
    "counterfactuals": counterfactuals.section,
    "surveys": surveys.section,
    "findings": findings_table.section,
    "signoff": signoff.section,
    "evidence": evidence.section,
    "limits": cost.limits,
    "crosswalk": crosswalk.section,
    "cost": cost.section,
    "reproduction": cost.reproduction,
}


def render(bundle: Bundle, choice: Choice = Choice()) -> str:
    """The report of a bundle, the same bytes for the same bundle and choice.

    Raises:
        IntegrityError: if a file is not the one that the audit wrote.
    """
    bundle = Held(bundle.folder, bundle.manifest)  # sections ask for the same tables and arrays again and again
    page = _pages().get_template("report.html")
    text = page.render(
        cover=cover.cover(bundle, seal=choice.seal if bundle.complete else ""),
        sections=sections(bundle, choice.sections),
        notes=[line for line in choice.notes.split("\n") if line.strip()],
        looks=STATUSES,
        speaks_for=FOR,
        speaks_against=AGAINST,
        terms=Terms(),
    )
    # A foreign manifest may hold a lone surrogate, which cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode()


def sections(bundle: Bundle, chosen: tuple[str, ...] = ()) -> list[Section]:
    """The chapters of a report, those that were chosen or all, always in the same order."""
    return [write(bundle) for name, write in SECTIONS.items() if name in chosen or not chosen]


@cache
def _pages() -> jinja2.Environment:
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("probe.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["long_listing"] = _listing
    return pages


def _finalize(value: Any) -> Any:
    """A text made safe to print: no name can hide, reverse or flood the page. Templates print all text through it."""
    return visible(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def _listing(text: str) -> Markup:
    """Lines, each shown as any other text."""
    return Markup("\n").join(escape(visible(line)) for line in text.splitlines())
