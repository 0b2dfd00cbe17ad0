"""Which section of this report has evidence for which clause, and which clauses have none."""

from probe.audit.bundle import Bundle
from probe.audit.reading import CHAPTERS, unmeasured
from probe.formatting import DASH
from probe.report.blocks import Section, Table
from probe.report.crosswalk import CLAUSES, Clause

ASPECTS = ("performance", "bias", "robustness", "explanation")  # sections that an audit may leave unmeasured
KINDS = {"certificates": "certificate", "counterfactuals": "counterfactual", "surveys": "survey"}
NAMES = {
    "scope": "Scope",
    "subject": "What was audited",
    "ledger": "Rows used and left out",
    "findings": "Findings",
    "signoff": "Sign-off",
    "reproduction": "Reproduction",
    "limits": "Limits",
}


def section(bundle: Bundle) -> Section:
    """The table of clauses, each with what this audit has for it."""
    columns = ("of", "clause", "asks for", "evidence in this report", "what it lacks")
    rows = [(each.of, each.clause, each.asks, _evidence(bundle, each), each.lacks or DASH) for each in CLAUSES]
    return Section(
        "crosswalk",
        "Clauses of laws and standards",
        [Table(columns, rows, f"{len(rows)} clauses, as they stood in November 2026")],
        lead=(
            "Where evidence for a clause stands in this report. It does not say that any clause is met, or that it "
            "applies: people who know the system and its use have to judge that. Clauses are paraphrased; read them.",
        ),
    )


def _evidence(bundle: Bundle, clause: Clause) -> str:
    if not clause.sections:
        return "not covered"
    here = [name for name in clause.sections if measured(bundle, name)]
    absent = [_title(name) for name in clause.sections if name not in here]
    parts = [", ".join(map(_title, here))] * bool(here) + [f"not measured here: {', '.join(absent)}"] * bool(absent)
    return "; ".join(parts)


def measured(bundle: Bundle, section: str) -> bool:
    """Whether this audit has anything of a section."""
    if section in KINDS:
        return any(step.kind == KINDS[section] and step.done for step in bundle.manifest.steps)
    if section in ASPECTS:
        return any(each.aspect == section and not unmeasured(each) for each in bundle.manifest.findings)
    return True


def _title(section: str) -> str:
    return NAMES.get(section) or CHAPTERS[section].title
