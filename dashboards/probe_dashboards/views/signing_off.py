"""A sign-off that is written from a page: what it decides about, and why it cannot be written here."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from probe.audit import Bundle, read
from probe.audit.signoff import Signoff, Verdict, open_failures, sign_off
from probe.errors import PlanError
from probe.text import visible
from probe_dashboards.views import runs

VERDICTS: Mapping[Verdict, str] = {"accepted": "accept", "rejected": "reject"}
MOST = 60  # failures that a form asks about
DOES = (
    "This writes a sign-off beside the audit, on the machine where this viewer runs, and draws its report again; what "
    "is there stays. It shows what was written, not who wrote it: whoever can open this page can write any name. No "
    "private key is asked for here; the command that signs, which covers the sign-off, is above."
)


def failures(bundle: Bundle) -> dict[str, str]:
    """The open failures that a sign-off decides about: each by its name in the record, with how pages write it."""
    return {check: visible(f"{check} ({status})") for check, status in open_failures(bundle.manifest).items()}


def refused(bundle: Bundle) -> str:
    """Why a sign-off cannot be written from a page, as a sentence; empty if it can."""
    if not bundle.complete:
        return "The audit is not complete: run the same command again, then sign it off."
    if not os.access(bundle.folder, os.W_OK):
        return "The folder of this audit cannot be written from here; sign it off in a terminal, as above."
    if len(failures(bundle)) > MOST:
        return f"More than {MOST} checks failed, too many for a form; sign it off in a terminal, as above."
    return ""


def write(
    opened: runs.Opened, name: str, role: str, statement: str, decisions: Mapping[str, tuple[Verdict, str]]
) -> Signoff:
    """Write a sign-off of the audit as it was verified, as `probe signoff` does.

    Raises:
        PlanError: if a file of it changed since, or something is missing.
    """
    if runs.stamp(opened.folder) != opened.stamp:
        raise PlanError("a file of this audit changed since the page was drawn; reload the page and look at it again")
    return sign_off(
        read(Path(opened.folder)), name=name, role=role, statement=statement, decisions=decisions, drawn=_drawn
    )


def _drawn(bundle: Bundle) -> str:
    from probe.report import render  # loads matplotlib, which a page that only shows the form does without

    return render(bundle)


def pdf_command(bundle: Bundle) -> str:
    """The command that prints the report."""
    return f"probe report {shlex.quote(str(bundle.folder))} --pdf report.pdf"
