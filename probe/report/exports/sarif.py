"""Findings as results of SARIF 2.1.0: what was not decided is a note with the reason, and never passed."""

import json
import re
from collections.abc import Sequence
from typing import Any

from probe.audit.bundle import Bundle
from probe.audit.canonical import dump
from probe.audit.signing.statements import named
from probe.finding import Finding
from probe.report.exports.common import sentence
from probe.text import visible
from probe.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# Only a result of kind "fail" may have a level, so a pass has none.
LEVELS = {"fail": "error", "error": "error", "inconclusive": "note", "not run": "note", "pass": "none"}


def write(bundle: Bundle) -> str:
    """The findings as one run of SARIF. A result points at its finding in audit.json."""
    manifest = bundle.manifest
    names, lines = named(manifest.findings), _lines(bundle)
    rules = [_rule(name, finding) for name, finding in zip(names, manifest.findings, strict=True)]
    results = [_result(finding, at, rules[at]["id"], lines[at]) for at, finding in enumerate(manifest.findings)]
    driver = {"name": "probe", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"{visible(bundle.name)}/{manifest.digest}"},
        "invocations": [{"executionSuccessful": bundle.complete}],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {
            "digest": manifest.digest,
            "evidence": manifest.evidence_digest,
            "model": visible(manifest.model.name),
            "data": visible(manifest.data.name),
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rule(name: str, finding: Finding) -> dict[str, Any]:
    described = {"text": visible(finding.check)}
    return {
        "id": re.sub(r"[^\w.]+", "-", visible(name)).strip("-") or "check",
        "shortDescription": described,
        "fullDescription": {"text": visible(finding.method) or described["text"]},
        "properties": {"aspect": visible(finding.aspect), "about": finding.about},
    }


def _result(finding: Finding, at: int, rule: str, line: int) -> dict[str, Any]:
    numbers = ("estimate", "low", "high", "n", "threshold", "direction", "unit")
    given = {key: getattr(finding, key) for key in numbers if getattr(finding, key) is not None}
    place = {"artifactLocation": {"uri": "audit.json"}, "region": {"startLine": line}}
    return {
        "ruleId": rule,
        "ruleIndex": at,
        "kind": "pass" if finding.status == "pass" else "fail",
        "level": LEVELS[finding.status],
        "message": {"text": sentence(finding)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"check/v1": rule},
        "properties": {"status": finding.status, **given},
    }


def _lines(bundle: Bundle) -> Sequence[int]:
    """The line of audit.json on which each finding says what was asked; the first where that cannot be told."""
    text = dump(bundle.manifest.to_json()).decode()
    found = [number for number, line in enumerate(text.split("\n"), 1) if line.startswith('   "check": ')]
    return found if len(found) == len(bundle.manifest.findings) else [1] * len(bundle.manifest.findings)
