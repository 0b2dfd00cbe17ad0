"""Which section of the report answers which clause of a law or a standard, and which clauses none answers.

The clauses are named and paraphrased, not quoted, as they stood in November 2026. A section that answers a clause is
evidence for whoever judges it; nothing here says that a clause is met.
"""

from typing import NamedTuple

EU = "EU AI Act (2024/1689)"
NIST = "NIST AI RMF 1.0"
ISO = "ISO/IEC 42001:2023"
ROBUST = "ISO/IEC TR 24029-1"
LL144 = "NYC LL 144 (6 RCNY 5-300 ff.)"


class Clause(NamedTuple):
    """A clause, what it asks for, and the sections of the report with evidence for it; none if it is not covered."""

    of: str
    clause: str
    asks: str
    sections: tuple[str, ...] = ()
    lacks: str = ""  # what an auditor has to add


CLAUSES = (
    Clause(EU, "Art. 9", "risk management over the life of the system", (), "a process; an audit is one input of it"),
    Clause(EU, "Art. 10(2)(f), (g)", "examination for biases, and measures against them", ("bias", "surveys"),
           "training data, and the measures"),
    Clause(EU, "Art. 10(3)", "data that are relevant and representative", ("ledger",),
           "the population that the rows are to represent"),
    Clause(EU, "Art. 11, Annex IV 1", "general description: purpose, version, hardware and software",
           ("scope", "subject"), "the system around the model"),
    Clause(EU, "Annex IV 2(d)", "provenance, labelling and cleaning of data", ("subject", "ledger"),
           "how training data were gathered and labelled"),
    Clause(EU, "Annex IV 2(g)", "validation and testing: data, metrics, logs, reports dated and signed",
           ("performance", "robustness", "bias", "findings", "evidence", "signoff"), "tests of the whole system"),
    Clause(EU, "Annex IV 3", "capabilities and limits, accuracy for persons or groups, foreseeable harm",
           ("performance", "bias", "limits"), "foreseeable harm"),
    Clause(EU, "Annex IV 4", "why the metrics suit the system", (), "a judgement about the use"),
    Clause(EU, "Art. 12", "logs of the system's events", (), "operation is not audited"),
    Clause(EU, "Art. 13(3)(b)", "declared accuracy and robustness, performance for groups, explanations",
           ("performance", "robustness", "bias", "explanation", "limits"), "instructions for use"),
    Clause(EU, "Art. 14", "oversight by people", (), "people are not audited"),
    Clause(EU, "Art. 15(3)", "levels of accuracy and their metrics", ("performance",)),
    Clause(EU, "Art. 15(4)", "robustness against errors and faults; feedback loops", ("robustness", "certificates"),
           "faults of hardware and of other parts; feedback loops"),
    Clause(EU, "Art. 15(5): adversarial examples", "resilience against inputs made to mislead",
           ("robustness", "certificates"), "attacks that are not in the plan"),
    Clause(EU, "Art. 15(5): poisoning, confidentiality", "resilience against manipulated training and theft", (),
           "not measured here"),
    Clause(NIST, "MEASURE 1.1", "metrics are chosen; what is not measured is documented", ("scope", "findings")),
    Clause(NIST, "MEASURE 1.3", "independent assessors", ("signoff",), "who is independent of whom"),
    Clause(NIST, "MEASURE 2.1", "test sets, metrics and tools are documented", ("subject", "evidence", "reproduction")),
    Clause(NIST, "MEASURE 2.2", "evaluations represent the people concerned", ("bias", "ledger"),
           "the population that the rows are to represent"),
    Clause(NIST, "MEASURE 2.3", "performance under conditions like those of use", ("performance",),
           "whether the rows are like those of use"),
    Clause(NIST, "MEASURE 2.5", "valid and reliable; limits of generalisation", ("performance", "limits")),
    Clause(NIST, "MEASURE 2.6", "safety", (), "not measured here"),
    Clause(NIST, "MEASURE 2.7", "security and resilience", ("robustness", "certificates"),
           "poisoning, theft, the system around the model"),
    Clause(NIST, "MEASURE 2.9", "the model is explained, validated and interpreted",
           ("explanation", "counterfactuals"), "interpretation in its context"),
    Clause(NIST, "MEASURE 2.10", "privacy", (), "not measured here"),
    Clause(NIST, "MEASURE 2.11", "bias is evaluated, and the results are documented", ("bias",)),
    Clause(NIST, "MEASURE 2.13", "the effectiveness of the evaluation itself", ("explanation", "evidence"),
           "checks beyond those of explanations and attacks"),
    Clause(ISO, "management system", "policies, roles, impact assessment, monitoring of an organisation", (),
           "it is about an organisation, and an audit of a model is one input of it"),
    Clause(ROBUST, "workflow", "goals of robustness, plan, conduct, analysis, interpretation",
           ("scope", "robustness", "certificates", "findings"), "interpretation for the use"),
    Clause(LL144, "selection rates and impact ratios", "by sex, by race or ethnicity, and by both",
           ("bias",), "the categories that the rule names"),
    Clause(LL144, "unknown category", "the number of people whose category is unknown", ("ledger", "bias")),
    Clause(LL144, "published summary", "date of the audit, source of the data, date of distribution", ("subject",),
           "the summary, its publication, and the date of distribution"),
)  # fmt: skip
