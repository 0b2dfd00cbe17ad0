"""Who signed an audit and who signed it off, its exports, and the commands for all of that."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from probe.audit import Bundle
from probe.audit.reading import CHAPTERS
from probe.audit.signing import Seal, Signature, Signers, seal, signers_from
from probe.audit.signing.countersignatures import Countersignature
from probe.audit.signoff import Signoff, open_failures
from probe.errors import ProbeError
from probe.formatting import DASH, moment
from probe.text import visible
from probe_dashboards.views.runs import Integrity

GIVEN = "the keys that you gave"


@dataclass(frozen=True)
class Sealed:
    """The seal of an audit, or why it has none."""

    seal: Seal | None
    wrong: str = ""  # a sentence: the audit is another one, or nobody signed it who may
    refused: str = ""  # a sentence: what was given is no digest, or no list of keys


def sealed(result: Integrity, given: str, keys: str) -> Sealed:
    """The seal of an audit that is intact, by the digest and the public keys that its reader gave."""
    try:
        signers = signers_from(keys, GIVEN) if keys.strip() else None
    except ProbeError as error:
        return Sealed(seal(result.digests), refused=visible(error))
    try:
        return Sealed(_sealed(result, given, signers))
    except ProbeError as error:
        return Sealed(None, wrong=visible(error))


def _sealed(result: Integrity, given: str, signers: Signers | None) -> Seal:
    seconds = [each.signature for each in result.countersignatures]
    return seal(result.digests, result.signatures, given=given or None, signers=signers, seconds=seconds)


def badge(found: Seal) -> str:
    """The words of a seal as a page shows them."""
    words = visible(found.words, 200)
    return words[:1].upper() + words[1:]


def signatures(signed: Sequence[Signature], found: Seal | None) -> pd.DataFrame:
    """The signatures of an audit, and whose they are where the reader said who may sign."""
    whose = {each.key: each.name or "none of those who may sign" for each in (found.whose if found else ())}
    rows = [(visible(each.key), moment(each.signed), visible(whose.get(each.key, DASH))) for each in signed]
    return pd.DataFrame(rows, columns=["Key", "Signed, as it says", "By"])


def countersigned(found: Countersignature, seal: Seal | None) -> str:
    """A counter-signature in one line: whose it is where the reader said who may sign, and what was run again."""
    whose = {each.key: each.name or "none of those who may sign" for each in (seal.seconds if seal else ())}
    by = whose.get(found.signature.key, "not checked against a key")
    return visible(
        f"Counter-signed with the key {found.signature.key} ({by}) on {moment(found.signature.signed)}, as it says: "
        f"{found.rerun.words}."
    )


def signed_off(record: Signoff, found: Seal | None) -> str:
    """A sign-off in one line, with the signature that covers it."""
    covered = [each.name for each in (found.whose if found else ()) if each.name and record.sha256 in each.signoffs]
    by = f"covered by the signature of {' and '.join(covered)}" if covered else "not checked against a signature"
    return visible(f"{record.by}, {moment(record.date)}, {by}")


def decisions(record: Signoff) -> pd.DataFrame:
    """What a sign-off decides about each open failure."""
    rows = [(visible(each.check), each.decision, visible(each.reason)) for each in record.decisions]
    return pd.DataFrame(rows, columns=["Failure", "Decision", "Reason"])


def undecided(bundle: Bundle) -> str:
    """What a sign-off would have to decide about, in a sentence."""
    failures = open_failures(bundle.manifest)
    if not failures:
        return "Nobody has signed this audit off. No check failed."
    several = f"{len(failures)} checks" if len(failures) > 1 else "1 check"
    return f"Nobody has signed this audit off. {several} failed or ended in an error; a sign-off decides about each."


def sections() -> dict[str, str]:
    """The sections that a report can have, with their names."""
    from probe.report import SECTIONS  # loads matplotlib, which a page that shows a seal alone does without

    own = {
        "scope": "Scope, and what was not tested",
        "subject": "What was audited",
        "ledger": "Rows used and left out",
        "findings": "Findings",
        "crosswalk": "Clauses of laws and standards",
        "signoff": "Sign-off",
    }
    return {name: own.get(name) or _titled(name) for name in SECTIONS}


def report(bundle: Bundle, chosen: Sequence[str], notes: str, found: Seal | None) -> str:
    """The report with these sections and notes, and with the seal as it is known here."""
    from probe.report import Choice, render  # as in `sections`

    choice = Choice(tuple(chosen), notes, found.words) if found else Choice(tuple(chosen), notes)
    return render(bundle, choice)


def commands(bundle: Bundle) -> str:
    """The commands that verify, sign, sign off, print and export this audit."""
    folder = shlex.quote(str(bundle.folder))
    failures = len(open_failures(bundle.manifest))
    decided = "".join(f' --accept "{number}=REASON"' for number in range(1, min(failures, 3) + 1))
    more = " ..." if failures > 3 else ""
    return "\n".join(
        [
            "# the digest that you received, and the keys of those who may sign",
            f"probe verify {folder} --digest {visible(bundle.manifest.digest)} --signers allowed_signers",
            "# a sign-off decides about each open failure: --accept or --reject",
            f'probe signoff {folder} --name NAME --role ROLE --statement "..."{decided}{more}',
            "# after that, so that the signature covers the sign-offs",
            f"probe sign {folder} --key ~/.ssh/id_ed25519",
            "# somebody else, who has the model and the data: a tenth, drawn by digest and key, is run again",
            f"probe countersign {folder} --key ~/.ssh/id_ed25519",
            "# the report as a PDF, and the findings for other tools",
            f"probe report {folder} --pdf report.pdf",
            f"probe export {folder} --format sarif --out findings.sarif",
        ]
    )


def _titled(name: str) -> str:
    return CHAPTERS[name].title if name in CHAPTERS else name.capitalize()
