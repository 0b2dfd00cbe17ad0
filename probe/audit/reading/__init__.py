"""What report, viewer and command line ask of a bundle, answered once and without torch.

A module for each subject. All text comes as the bundle has it: whoever shows it makes it visible and escapes it.
"""

from probe.audit.reading.attacked import changes
from probe.audit.reading.chapters import APART, CHAPTERS, LENSES, Register, register
from probe.audit.reading.explained import captioned
from probe.audit.reading.groups import left_out
from probe.audit.reading.measured import Measurement, measured, readings
from probe.audit.reading.steps import Missing, ended, missing, others, steps, waiting, why_empty
from probe.audit.reading.subject import ASSUMED, favourable, origin, repeat
from probe.audit.reading.verdict import tally, verdict

__all__ = [
    "APART",
    "ASSUMED",
    "CHAPTERS",
    "LENSES",
    "Measurement",
    "Missing",
    "Register",
    "captioned",
    "changes",
    "ended",
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
    "tally",
    "verdict",
    "waiting",
    "why_empty",
]
