"""Findings as test cases of JUnit: what was not decided is skipped, with the reason, and never passed."""

import re
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from probe.audit.bundle import Bundle
from probe.audit.manifest import Manifest
from probe.finding import Finding
from probe.report.exports.common import sentence
from probe.text import visible

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
UNKNOWN_TIME = "1970-01-01T00:00:00"
OUTCOMES = {"fail": "failure", "error": "error", "inconclusive": "skipped", "not run": "skipped"}


def write(bundle: Bundle) -> str:
    """The findings as JUnit XML, a suite for each aspect."""
    manifest = bundle.manifest
    whole = Element("testsuites", {"name": visible(bundle.name), **_counts(manifest.findings)})
    for number, (aspect, part) in enumerate(groupby(manifest.findings, key=lambda finding: finding.aspect)):
        findings = tuple(part)
        # The schema of Ant asks for a host, of which a bundle says nothing, and for what was printed.
        about = {"id": str(number), "package": "probe", "hostname": "localhost", "timestamp": _time(manifest)}
        suite = SubElement(whole, "testsuite", {"name": visible(aspect), **_counts(findings), **about})
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
        for printed in ("system-out", "system-err"):
            SubElement(suite, printed)
    indent(whole, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(whole, encoding="unicode") + "\n"


def _time(manifest: Manifest) -> str:
    """When the audit ended, or began; without a time zone, as JUnit has it: UTC."""
    found = TIME.match(manifest.finished or manifest.created)
    return found[0] if found else UNKNOWN_TIME


def _counts(findings: tuple[Finding, ...]) -> dict[str, str]:
    """How many there are of each outcome, as JUnit counts them."""
    found = [OUTCOMES.get(finding.status, "") for finding in findings]
    many = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return (
        {"tests": str(len(found))} | {key: str(found.count(outcome)) for key, outcome in many.items()} | {"time": "0"}
    )
