"""The report: sections in, one HTML page out."""

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from probe.audit.bundle import Bundle
from probe.plots.style import AGAINST, FOR
from probe.report.blocks import Section
from probe.report.sections import (
    bias,
    certificates,
    cost,
    counterfactuals,
    cover,
    evidence,
    explanation,
    findings_table,
    performance,
    robustness,
    subject,
    surveys,
)
from probe.report.terms import Terms
from probe.statuses import STATUSES
from probe.text import visible


def render(bundle: Bundle) -> str:
    """The report of a bundle, the same bytes for the same bundle.

    Raises:
        IntegrityError: if a file is not the one that the audit wrote.
    """
    page = _pages().get_template("report.html")
    text = page.render(
        cover=cover.cover(bundle),
        sections=sections(bundle),
        looks=STATUSES,
        speaks_for=FOR,
        speaks_against=AGAINST,
        terms=Terms(),
    )
    # A foreign manifest may hold a lone surrogate, which cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode()


def sections(bundle: Bundle) -> list[Section]:
    """The chapters of a report."""
    return [
        findings_table.section(bundle),
        subject.section(bundle),
        performance.section(bundle),
        explanation.section(bundle),
        counterfactuals.section(bundle),
        robustness.section(bundle),
        certificates.section(bundle),
        surveys.section(bundle),
        bias.section(bundle),
        evidence.section(bundle),
        cost.section(bundle),
        cost.limits(bundle),
        cost.reproduction(bundle),
    ]


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
