"""Who signed the audit off and what they decided about each failure, and who ran a part of it again."""

from probe.audit.bundle import Bundle
from probe.audit.signing.countersignatures import BINDS, countersignatures
from probe.audit.signoff import open_failures, signoffs
from probe.formatting import moment
from probe.report.blocks import Block, Section, Table, Text


def section(bundle: Bundle) -> Section:
    """The sign-offs beside the bundle, the first one first, and the counter-signatures."""
    decided = _signoffs(bundle)
    open_ = len(open_failures(bundle.manifest))
    checks = "check" if open_ == 1 else "checks"
    none = f"Nobody has signed this audit off. {open_ or 'No'} {checks} failed or ended in an error."
    lead = (
        "A sign-off is what was written beside the bundle, bound to its digest, each record to the one before. It does "
        "not show who wrote it: `probe verify FOLDER --signers FILE` says whose signature covers it."
    )
    blocks = [*(decided or [Text(none)]), *_countersignatures(bundle)]
    return Section("signoff", "Sign-off", blocks, lead=(lead,) if decided else ())


def _signoffs(bundle: Bundle) -> list[Block]:
    blocks: list[Block] = []
    for record in signoffs(bundle):
        blocks.append(Text(f"{record.number}: {record.by}, {moment(record.date)}", level=3))
        blocks.append(Text(record.statement))
        rows = [(each.check, each.decision, each.reason) for each in record.decisions]
        if rows:
            blocks.append(Table(("failure", "decision", "reason"), rows, "Decisions about the open failures"))
    return blocks


def _countersignatures(bundle: Bundle) -> list[Block]:
    found = countersignatures(bundle)
    if not found:
        return []
    rows = [(each.signature.key, moment(each.rerun.signed), each.rerun.machine, each.rerun.words) for each in found]
    columns = ("key", "signed, as it says", "on, as it says", "what was run again")
    told = f"{BINDS} Whose key it is, probe verify FOLDER --signers FILE says."
    return [Text("Counter-signatures", level=3), Text(told), Table(columns, rows, "Counter-signatures")]
