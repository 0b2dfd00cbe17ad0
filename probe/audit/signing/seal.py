"""The seal of a bundle: one of three things, and nothing more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from probe.audit.signing.signatures import Signature, Who, who
from probe.audit.signing.signers import Signers
from probe.errors import IntegrityError, PlanError

CONSISTENT = "consistent with itself"
GIVEN = "is the one you were given"


@dataclass(frozen=True)
class Seal:
    """What is known of a bundle that was verified."""

    words: str  # "consistent with itself", "is the one you were given", or "signed by NAME"
    whose: tuple[Who, ...] = ()  # each signature, where somebody said who may sign
    seconds: tuple[Who, ...] = ()  # each counter-signature, likewise


def seal(
    digests: Sequence[str],
    signed: Sequence[Signature] = (),
    *,
    given: str | None = None,
    signers: Signers | None = None,
    seconds: Sequence[Signature] = (),
) -> Seal:
    """The seal of a bundle that was verified.

    Args:
        digests: either digest of the bundle.
        signed: its signatures.
        given: a digest that the reader received separately.
        signers: those who may sign, as the reader says.
        seconds: its counter-signatures, which the words do not name.

    Raises:
        PlanError: if what was given is no digest.
        IntegrityError: if the bundle is another one, or nobody signed it who may.
    """
    if given is not None:
        _check_given(given.strip().lower(), digests)
    words = CONSISTENT if given is None else GIVEN
    if signers is None:
        return Seal(words)
    if not signed:
        raise IntegrityError(f"the bundle is not signed, so nobody in {signers.shown} signed it")
    whose = tuple(who(each, signers) for each in signed)
    names = list(dict.fromkeys(each.name for each in whose if each.name))
    if not names:
        key, why = whose[0].key, whose[0].why
        raise IntegrityError(
            f"nobody in {signers.shown} signed the bundle: it is signed with the key {key}" + f" ({why})" * bool(why)
        )
    return Seal(f"signed by {' and '.join(names)}", whose, tuple(who(each, signers) for each in seconds))


def _check_given(given: str, digests: Sequence[str]) -> None:
    if not re.fullmatch("[0-9a-f]{64}", given):
        raise PlanError(f"{given[:80]!r} is not a digest, expected 64 characters 0 to 9 and a to f")
    if given not in digests:
        whole, evidence = digests
        raise IntegrityError(
            f"the bundle's digest is {whole} (of its evidence without times {evidence}), not {given}: it is another "
            "audit, or a changed one"
        )
