"""Who signed the audit off, and what they decided about each failure."""

from probe.audit.bundle import Bundle
from probe.audit.signoff import open_failures, signoffs
from probe.formatting import moment
from probe.report.blocks import Block, Section, Table, Text


def section(bundle: Bundle) -> Section:
    """The sign-offs beside the bundle, the first one first."""
    blocks: list[Block] = []
    for record in signoffs(bundle):
        blocks.append(Text(f"{record.number}: {record.name}, {record.role}, {moment(record.date)}", level=3))
        blocks.append(Text(record.statement))
        rows = [(each.check, each.decision, each.reason) for each in record.decisions]
        if rows:
            blocks.append(Table(("failure", "decision", "reason"), rows, "Decisions about the open failures"))
    open_ = len(open_failures(bundle.manifest))
    none = f"Nobody has signed this audit off. {open_ or 'No'} checks failed or ended in an error."
    lead = (
        "A sign-off is what was written beside the bundle, bound to its digest, each record to the one before. It does "
        "not show who wrote it: `probe verify FOLDER --signers FILE` says whose signature covers it."
    )
    return Section("signoff", "Sign-off", blocks or [Text(none)], lead=(lead,) if blocks else ())
