"""What a signature says of a bundle: two statements of in-toto, both of which follow from the bundle."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from probe.audit.manifest import Manifest
from probe.audit.strict import plain
from probe.finding import Finding

STATEMENT = "https://in-toto.io/Statement/v1"
AUDIT = "urn:probe-toolkit:audit:v1"
COUNTERSIGNATURE = "urn:probe-toolkit:countersignature:v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
# A check that was not decided is never among those that passed.
OUTCOMES = {
    "pass": "passedTests",
    "inconclusive": "warnedTests",
    "not run": "warnedTests",
    "fail": "failedTests",
    "error": "failedTests",
}


def statements(manifest: Manifest, signed: str, signoffs: Sequence[str]) -> tuple[bytes, bytes]:
    """The statement of the audit, and that of its checks as the results of tests.

    Args:
        manifest: of the bundle.
        signed: when it is signed, as the signer says.
        signoffs: SHA-256 of the sign-offs that there are at that time.
    """
    return (
        statement(manifest, AUDIT, _audit(manifest, signed, signoffs)),
        statement(manifest, TEST_RESULT, _results(manifest)),
    )


def subjects(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of what the statements are about, as the bundle records them; a black box has no weights."""
    found = {"weights": manifest.model.sha256, "data": manifest.data.sha256, "manifest": manifest.digest}
    return {name: sha for name, sha in found.items() if sha is not None}


def named(findings: Sequence[Finding]) -> list[str]:
    """A name for each check, no two alike."""
    seen: dict[str, int] = {}
    names = []
    for finding in findings:
        name = f"{finding.aspect}: {finding.check}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def statement(manifest: Manifest, kind: str, predicate: dict[str, Any]) -> bytes:
    """A statement of in-toto about a bundle."""
    document = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha}} for name, sha in subjects(manifest).items()],
        "predicateType": kind,
        "predicate": predicate,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _audit(manifest: Manifest, signed: str, signoffs: Sequence[str]) -> dict[str, Any]:
    return {
        "signed": signed,
        "name": manifest.name,
        "created": manifest.created,
        "finished": manifest.finished,
        "model": manifest.model.name,
        "data": manifest.data.name,
        "rows": manifest.data.n,
        "evidence": manifest.evidence_digest,
        "findings": [finding.to_json() for finding in manifest.findings],
        "signoffs": list(signoffs),
    }


def _results(manifest: Manifest) -> dict[str, Any]:
    tests: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for name, finding in zip(named(manifest.findings), manifest.findings, strict=True):
        tests[OUTCOMES[finding.status]].append(name)
    result = "FAILED" if tests["failedTests"] else "WARNED" if tests["warnedTests"] else "PASSED"
    if not manifest.findings:
        result = "WARNED"
    plan = json.dumps(plain(manifest.plan), ensure_ascii=False).encode()
    configuration = [{"name": "plan", "digest": {"sha256": hashlib.sha256(plan).hexdigest()}}]
    return {"result": result, "configuration": configuration, **tests}
