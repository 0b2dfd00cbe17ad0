"""What report, viewer and command line ask of a bundle, answered once and without torch.

A module for each subject. All text comes as the bundle has it: whoever shows it makes it visible and escapes it.
"""

from probe.audit.reading.attacked import (
    ALL,
    Curve,
    Point,
    Tried,
    asked,
    axis,
    changes,
    curves,
    curves_by_group,
    curves_by_label,
    movable,
    tried,
    worst,
)
from probe.audit.reading.chapters import APART, CHAPTERS, LENSES, Chapter, Register, register
from probe.audit.reading.explained import captioned
from probe.audit.reading.groups import (
    RATES,
    Gap,
    GroupRate,
    Rate,
    SmallGroup,
    accounting,
    attributes,
    gaps,
    groups,
    left_out,
    rates,
    small_groups,
)
from probe.audit.reading.measured import Evidence, Measurement, evidence, measured, readings
from probe.audit.reading.proofs import Certified, Proof, certificates, surveys
from probe.audit.reading.steps import Missing, ended, missing, others, steps, unmade, waiting, why_empty
from probe.audit.reading.subject import ASSUMED, favourable, origin, repeat
from probe.audit.reading.verdict import tally, verdict

__all__ = [
    "ALL",
    "APART",
    "ASSUMED",
    "CHAPTERS",
    "LENSES",
    "RATES",
    "Certified",
    "Chapter",
    "Curve",
    "Evidence",
    "Gap",
    "GroupRate",
    "Measurement",
    "Missing",
    "Point",
    "Proof",
    "Rate",
    "Register",
    "SmallGroup",
    "Tried",
    "accounting",
    "asked",
    "attributes",
    "axis",
    "captioned",
    "certificates",
    "changes",
    "curves",
    "curves_by_group",
    "curves_by_label",
    "ended",
    "evidence",
    "favourable",
    "gaps",
    "groups",
    "left_out",
    "measured",
    "missing",
    "movable",
    "origin",
    "others",
    "rates",
    "readings",
    "register",
    "repeat",
    "small_groups",
    "steps",
    "surveys",
    "tally",
    "tried",
    "unmade",
    "verdict",
    "waiting",
    "why_empty",
    "worst",
]
