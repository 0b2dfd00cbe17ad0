"""What is exported and signed, against the published schemas, as far as it uses them.

The schemas below are transcribed by hand: required and permitted members, types, and values of the objects that probe
writes. Sources: SARIF 2.1.0, sarif-schema-2.1.0.json of OASIS (errata 01); Statement v1 and ResourceDescriptor of
in-toto/attestation, spec/v1; test-result v0.1, spec/predicates/test-result.md; the JSON envelope of
secure-systems-lab/dsse, envelope.md; JUnit.xsd of windyroad/JUnit-Schema, without what only Ant writes.
"""

import base64
import json
import re
import subprocess
from xml.etree import ElementTree

import pytest

from probe.audit import read
from probe.audit.signing import sign
from probe.report.exports import EXPORTS
from probe.statuses import STATUSES
from tests.audit.forging import Forged
from tests.dashboards.conftest import hostile, table

jsonschema = pytest.importorskip("jsonschema")  # the viewer's packages bring it

TEXT = {"type": "string"}
BAG = {"type": "object"}
MESSAGE = {
    "type": "object", "additionalProperties": False, "anyOf": [{"required": ["text"]}, {"required": ["id"]}],
    "properties": {"text": TEXT, "markdown": TEXT, "id": TEXT, "arguments": {"type": "array"}, "properties": BAG},
}  # fmt: skip
FORMATTED = {
    "type": "object", "additionalProperties": False, "required": ["text"],
    "properties": {"text": TEXT, "markdown": TEXT, "properties": BAG},
}  # fmt: skip
RULE = {
    "type": "object", "additionalProperties": False, "required": ["id"],
    "properties": {"id": TEXT, "name": TEXT, "shortDescription": FORMATTED, "fullDescription": FORMATTED,
                   "help": FORMATTED, "helpUri": TEXT, "defaultConfiguration": BAG, "properties": BAG},
}  # fmt: skip
LOCATION = {
    "type": "object", "additionalProperties": False,
    "properties": {"physicalLocation": {
        "type": "object", "additionalProperties": False, "anyOf": [{"required": ["artifactLocation"]}],
        "properties": {
            "artifactLocation": {
                "type": "object", "additionalProperties": False,
                "properties": {"uri": TEXT, "uriBaseId": TEXT, "index": {"type": "integer", "minimum": -1}},
            },
            "region": {
                "type": "object", "additionalProperties": False,
                "properties": {key: {"type": "integer", "minimum": 1} for key in ("startLine", "endLine")},
            },
        },
    }},
}  # fmt: skip
RESULT = {
    "type": "object", "additionalProperties": False, "required": ["message"],
    "properties": {
        "ruleId": TEXT, "ruleIndex": {"type": "integer", "minimum": -1}, "message": MESSAGE,
        "kind": {"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "locations": {"type": "array", "items": LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": TEXT}, "properties": BAG,
    },
}  # fmt: skip
DRIVER = {
    "type": "object", "additionalProperties": False, "required": ["name"],
    "properties": {"name": TEXT, "version": TEXT, "informationUri": TEXT,
                   "rules": {"type": "array", "uniqueItems": True, "items": RULE}},
}  # fmt: skip
RUN = {
    "type": "object", "additionalProperties": False, "required": ["tool"],
    "properties": {
        "tool": {"type": "object", "additionalProperties": False, "required": ["driver"],
                 "properties": {"driver": DRIVER}},
        "automationDetails": {"type": "object", "additionalProperties": False, "properties": {"id": TEXT}},
        "invocations": {"type": "array", "items": {"type": "object", "required": ["executionSuccessful"],
                        "additionalProperties": False, "properties": {"executionSuccessful": {"type": "boolean"}}}},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT}, "properties": BAG,
    },
}  # fmt: skip
SARIF = {
    "type": "object", "additionalProperties": False, "required": ["version", "runs"],
    "properties": {"$schema": TEXT, "version": {"enum": ["2.1.0"]}, "runs": {"type": "array", "items": RUN}},
}  # fmt: skip
DIGESTS = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]+$"}}
DESCRIPTOR = {
    "type": "object", "additionalProperties": False,
    "anyOf": [{"required": ["uri"]}, {"required": ["digest"]}, {"required": ["content"]}],
    "properties": {"name": TEXT, "uri": TEXT, "digest": DIGESTS, "content": TEXT, "downloadLocation": TEXT,
                   "mediaType": TEXT, "annotations": BAG},
}  # fmt: skip
STATEMENT = {
    "type": "object", "required": ["_type", "subject", "predicateType"],
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {"type": "array", "minItems": 1, "items": {"allOf": [DESCRIPTOR, {"required": ["digest"]}]}},
        "predicateType": {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*:.+"}, "predicate": BAG,
    },
}  # fmt: skip
NAMES = {"type": "array", "uniqueItems": True, "items": TEXT}
TEST_RESULT = {
    "type": "object", "required": ["result", "configuration"],
    "properties": {"result": {"enum": ["PASSED", "WARNED", "FAILED"]}, "url": TEXT, "passedTests": NAMES,
                   "warnedTests": NAMES, "failedTests": NAMES, "configuration": {"type": "array", "items": DESCRIPTOR}},
}  # fmt: skip
BASE64 = {"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}
ENVELOPE = {
    "type": "object", "required": ["payload", "payloadType", "signatures"],
    "properties": {
        "payload": BASE64, "payloadType": {"const": "application/vnd.in-toto+json"},
        "signatures": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["sig"], "properties": {"keyid": TEXT, "sig": BASE64},
        }},
    },
}  # fmt: skip
# Of each element of JUnit: the attributes that it must have, those that it may have, and its children in their order.
# Counts of the whole are of Jenkins' schema; Ant has none there.
COUNTS = {"name", "tests", "failures", "errors", "time"}
SUITE = COUNTS | {"timestamp", "hostname", "package", "id"}
JUNIT = {
    "testsuites": (set(), COUNTS | {"skipped"}, ["testsuite"]),
    "testsuite": (SUITE, {"skipped"}, ["properties", "testcase", "system-out", "system-err"]),
    "system-out": (set(), set(), []),
    "system-err": (set(), set(), []),
    "properties": (set(), set(), ["property"]),
    "property": ({"name", "value"}, set(), []),
    "testcase": ({"name", "classname", "time"}, set(), ["skipped", "error", "failure"]),
    "skipped": (set(), {"message"}, []),
    "error": ({"type"}, {"message"}, []),
    "failure": ({"type"}, {"message"}, []),
}


def check(document, schema):
    jsonschema.Draft202012Validator(schema).validate(document)


def check_junit(element):
    must, may, order = JUNIT[element.tag]
    given = set(element.keys())
    assert must <= given <= must | may, (element.tag, given)
    places = [order.index(child.tag) for child in element]
    assert places == sorted(places), f"{element.tag} has its children in another order"
    if element.tag == "testcase":
        assert len(element) <= 1
    if element.tag == "testsuite":
        assert [child.tag for child in element if child.tag != "testcase"] == ["properties", "system-out", "system-err"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.get("timestamp"))
    if element.tag == "testsuites":
        assert [suite.get("id") for suite in element] == [str(at) for at in range(len(element))]
    if element.get("time") is not None:
        assert re.fullmatch(r"\d+(\.\d+)?", element.get("time"))
    for key in ("tests", "failures", "errors", "skipped"):
        assert re.fullmatch(r"\d+", element.get(key, "0"))
    assert element.get("name", "x").strip()
    for child in element:
        check_junit(child)


@pytest.fixture(scope="module", params=[table, hostile])
def bundle(request, tmp_path_factory):
    """An audit with a finding of each status."""
    forged = Forged(request.param(tmp_path_factory.mktemp("schemas") / "people").folder)
    for finding, status in zip(forged.manifest["findings"], STATUSES, strict=False):
        finding |= {"status": status, "note": "why & <how>]]>"}
    forged.save()
    return read(forged.folder)


@pytest.fixture(scope="module")
def lines(bundle, tmp_path_factory):
    """The envelopes that a key of SSH, and one in PEM, sign."""
    place = tmp_path_factory.mktemp("keys")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "ssh")], check=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(place / "pem")], check=True)
    made = [sign(bundle, place / name) for name in ("ssh", "pem")]
    return [json.loads(line) for each in made for line in (bundle.folder / each.file).read_text().splitlines()]


def test_sarif_is_valid_by_its_schema(bundle):
    document = json.loads(EXPORTS["sarif"].write(bundle))
    check(document, SARIF)
    results = document["runs"][0]["results"]
    assert {each["kind"] for each in results} <= {"pass", "fail"}
    assert all(each["kind"] == "fail" or each["level"] == "none" for each in results)


def test_junit_is_valid_by_its_schema(bundle):
    check_junit(ElementTree.fromstring(EXPORTS["junit"].write(bundle)))


def test_envelopes_and_statements_are_valid_by_their_schemas(lines):
    kinds = []
    for line in lines:
        check(line, ENVELOPE)
        statement = json.loads(base64.b64decode(line["payload"]))
        check(statement, STATEMENT)
        kinds.append(statement["predicateType"])
        names = [each["name"] for each in statement["subject"]]
        assert len(set(names)) == len(names)
        if "test-result" in kinds[-1]:
            check(statement["predicate"], TEST_RESULT)
    assert kinds.count("https://in-toto.io/attestation/test-result/v0.1") == 2


def _broken(document, path, value=None):
    """A copy without the member at a path, or with another value there."""
    copy = json.loads(json.dumps(document))
    *way, last = path
    at = copy
    for key in way:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return copy


def test_the_schemas_refuse_what_is_wrong(bundle, lines):
    document = json.loads(EXPORTS["sarif"].write(bundle))
    result = ("runs", 0, "results", 0)
    for path, value in (
        (("version",), None),
        (("runs", 0, "tool", "driver", "name"), None),
        ((*result, "message"), None),
        ((*result, "kind"), "passed"),
        ((*result, "status"), "pass"),
        ((*result, "locations", 0, "physicalLocation", "region", "startLine"), 0),
    ):
        with pytest.raises(jsonschema.ValidationError):
            check(_broken(document, path, value), SARIF)
    statement = json.loads(base64.b64decode(lines[1]["payload"]))
    for path, value in ((("subject", 0, "digest"), None), (("_type",), "x"), (("predicateType",), "no uri")):
        with pytest.raises(jsonschema.ValidationError):
            check(_broken(statement, path, value), STATEMENT)
    with pytest.raises(jsonschema.ValidationError):
        check(_broken(statement["predicate"], ("result",), "INCONCLUSIVE"), TEST_RESULT)
    with pytest.raises(jsonschema.ValidationError):
        check(_broken(lines[0], ("signatures",), []), ENVELOPE)
    suites = ElementTree.fromstring(EXPORTS["junit"].write(bundle))
    del next(suites.iter("testcase")).attrib["classname"]
    with pytest.raises(AssertionError):
        check_junit(suites)
