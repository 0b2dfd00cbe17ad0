"""Findings as test cases of JUnit: what was not decided is skipped, with the reason, and never passed."""

from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from probe.audit.bundle import Bundle
from probe.finding import Finding
from probe.report.exports.common import sentence
from probe.text import visible

OUTCOMES = {"fail": "failure", "error": "error", "inconclusive": "skipped", "not run": "skipped"}


def write(bundle: Bundle) -> str:
    """The findings as JUnit XML, a suite for each aspect."""
    manifest = bundle.manifest
    whole = Element("testsuites", {"name": visible(bundle.name), **_counts(manifest.findings)})
    for aspect, part in groupby(manifest.findings, key=lambda finding: finding.aspect):
        findings = tuple(part)
        suite = SubElement(whole, "testsuite", {"name": visible(aspect), **_counts(findings)})
        kept = SubElement(suite, "properties")
        for name, value in (("digest", manifest.digest), ("model", manifest.model.name), ("data", manifest.data.name)):
            SubElement(kept, "property", name=name, value=visible(value))
        for finding in findings:
            case = SubElement(suite, "testcase", name=visible(finding.check), classname=visible(aspect), time="0")
            if finding.status != "pass":
                outcome = SubElement(case, OUTCOMES[finding.status], message=sentence(finding))
                if outcome.tag != "skipped":
                    outcome.set("type", finding.status)
                outcome.text = visible(finding.method)
    indent(whole, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(whole, encoding="unicode") + "\n"


def _counts(findings: tuple[Finding, ...]) -> dict[str, str]:
    """How many there are of each outcome, as JUnit counts them."""
    found = [OUTCOMES.get(finding.status, "") for finding in findings]
    many = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return (
        {"tests": str(len(found))} | {key: str(found.count(outcome)) for key, outcome in many.items()} | {"time": "0"}
    )
