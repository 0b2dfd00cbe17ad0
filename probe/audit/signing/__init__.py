"""Signatures on a bundle: statements of in-toto in envelopes of DSSE, made and checked without a network."""

from probe.audit.signing.envelope import NAMESPACE, TYPE
from probe.audit.signing.seal import CONSISTENT, Seal, seal
from probe.audit.signing.signatures import Signature, Who, sign, signatures, who
from probe.audit.signing.signers import Signers, read_signers, signers_from

__all__ = [
    "CONSISTENT",
    "NAMESPACE",
    "TYPE",
    "Seal",
    "Signature",
    "Signers",
    "Who",
    "read_signers",
    "seal",
    "sign",
    "signatures",
    "signers_from",
    "who",
]
