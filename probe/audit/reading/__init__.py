"""What report, viewer and command line ask of a bundle, answered once and without torch.

A module for each subject. All text comes as the bundle has it: whoever shows it makes it visible and escapes it.
"""

from probe.audit.reading.attacked import changes
from probe.audit.reading.chapters import APART, CHAPTERS, LENSES, Chapter, Register, register
from probe.audit.reading.explained import captioned
from probe.audit.reading.groups import left_out
from probe.audit.reading.measured import Evidence, Measurement, evidence, measured, readings
from probe.audit.reading.proofs import Certified, Proof, certificates, surveys
from probe.audit.reading.steps import Missing, ended, missing, others, steps, unmade, waiting, why_empty
from probe.audit.reading.subject import ASSUMED, favourable, origin, repeat
from probe.audit.reading.verdict import tally, verdict

__all__ = [
    "APART",
    "ASSUMED",
    "CHAPTERS",
    "LENSES",
    "Certified",
    "Chapter",
    "Evidence",
    "Measurement",
    "Missing",
    "Proof",
    "Register",
    "captioned",
    "certificates",
    "changes",
    "ended",
    "evidence",
    "favourable",
    "left_out",
    "measured",
    "missing",
    "origin",
    "others",
    "readings",
    "register",
    "repeat",
    "steps",
    "surveys",
    "tally",
    "unmade",
    "verdict",
    "waiting",
    "why_empty",
]
