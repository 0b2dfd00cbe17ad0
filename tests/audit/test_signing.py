"""Signatures on a bundle: who made them is told by ssh-keygen, and a forged one is refused in one sentence."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from probe.audit import read, verify
from probe.audit.signing import NAMESPACE, TYPE, read_signers, seal, sign, signatures, signers_from
from probe.audit.signing.envelope import Envelope, encoded, write
from probe.audit.signing.statements import OUTCOMES, named, statements
from probe.errors import IntegrityError, PlanError, ProbeError
from probe.statuses import STATUSES
from tests.audit.forging import Forged
from tests.dashboards.conftest import table

ALICE, BOB = "alice@example.org", "bob"


def key(folder, name):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return folder / name


def public(path):
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bundle of people, signed by Alice, and the keys of Alice and Bob."""
    folder = tmp_path_factory.mktemp("signed")
    bundle = table(folder / "people")
    sign(bundle, key(folder, ALICE))
    key(folder, BOB)
    return folder


@pytest.fixture
def bundle(place, tmp_path):
    return read(shutil.copytree(place / "people", tmp_path / "people"))


def allowed(place, *lines):
    return signers_from("\n".join(lines), "allowed")


def sealed(bundle, signers=None, **given):
    manifest = bundle.manifest
    return seal((manifest.digest, manifest.evidence_digest), signatures(bundle), signers=signers, **given)


def file_of(bundle):
    return bundle.folder / signatures(bundle)[0].file


def resigned(place, bundle, change, by=ALICE, namespace=NAMESPACE):
    """The file of signatures with other payloads, each signed anew by a key of the forger's choice."""
    lines = []
    for each in signatures(bundle)[0].envelopes:
        payload = json.dumps(change(json.loads(each.payload)), ensure_ascii=False).encode()
        made = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-f", str(place / by), "-n", namespace],
            input=encoded(TYPE, payload), capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip
        blob = base64.b64decode("".join(made.splitlines()[1:-1]))
        lines.append(write(Envelope(payload, each.keyid, blob)) + "\n")
    file_of(bundle).write_text("".join(lines))


@pytest.mark.slow
def test_the_seal_is_one_of_three_things_and_nothing_more(place, bundle):
    assert sealed(bundle).words == "consistent with itself"
    assert sealed(bundle, given=bundle.manifest.digest).words == "is the one you were given"
    by_line = allowed(place, f"{ALICE} {public(place / ALICE)}")
    assert sealed(bundle, by_line).words == f"signed by {ALICE}"
    assert sealed(bundle, by_line, given=bundle.manifest.evidence_digest).words == f"signed by {ALICE}"
    assert sealed(bundle, read_signers(place / f"{ALICE}.pub")).words == f"signed by {ALICE}"


def test_a_signature_changes_neither_digest_and_both_of_two_signers_are_named(place, bundle):
    before = bundle.manifest.digest
    sign(bundle, place / BOB)
    sign(bundle, place / BOB)
    assert read(bundle.folder).manifest.digest == before
    assert len(signatures(bundle)) == 2
    both = allowed(place, f"{ALICE} {public(place / ALICE)}", f"{BOB} {public(place / BOB)}")
    assert set(sealed(bundle, both).words.removeprefix("signed by ").split(" and ")) == {ALICE, BOB}
    found = sealed(bundle, allowed(place, f"{BOB} {public(place / BOB)}"))
    assert found.words == f"signed by {BOB}"
    assert [each.name for each in found.whose].count("") == 1


@pytest.mark.parametrize(("line", "why"), [
    (f'{ALICE} valid-before="20200101" ALICE', "expired"),
    (f'{ALICE} namespaces="git" ALICE', "not permitted"),
    (f"{ALICE} BOB", "it is signed with the key SHA256:"),
    ("nobody nothing", "nobody in allowed signed"),
])  # fmt: skip
def test_a_key_that_may_not_sign_is_nobodys(place, bundle, line, why):
    line = line.replace(" ALICE", f" {public(place / ALICE)}").replace(" BOB", f" {public(place / BOB)}")
    with pytest.raises(IntegrityError, match=why):
        sealed(bundle, allowed(place, line))


def test_a_revoked_key_is_nobodys(place, bundle):
    (place / "gone").write_text(public(place / ALICE))
    (place / "allowed").write_text(f"{ALICE} {public(place / ALICE)}\n")
    with pytest.raises(IntegrityError, match="the key is revoked"):
        sealed(bundle, read_signers(place / "allowed", place / "gone"))


def test_a_pattern_is_nobodys_name(place, bundle):
    assert "the key SHA256:" in sealed(bundle, allowed(place, f"* {public(place / ALICE)}")).words


def test_a_bundle_without_a_signature_is_signed_by_nobody(place, bundle):
    file_of(bundle).unlink()
    assert sealed(bundle).words == "consistent with itself"
    with pytest.raises(IntegrityError, match="is not signed"):
        sealed(bundle, allowed(place, f"{ALICE} {public(place / ALICE)}"))


def test_statements_are_of_in_toto_and_name_what_the_bundle_records(bundle):
    first, second = (json.loads(each.payload) for each in signatures(bundle)[0].envelopes)
    manifest = bundle.manifest
    digests = {"weights": manifest.model.sha256, "data": manifest.data.sha256, "manifest": manifest.digest}
    for document in (first, second):
        assert document["_type"] == "https://in-toto.io/Statement/v1"
        assert {each["name"]: each["digest"]["sha256"] for each in document["subject"]} == digests
    assert second["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert [each["status"] for each in first["predicate"]["findings"]] == [f.status for f in manifest.findings]


def test_a_check_that_was_not_decided_is_never_among_those_that_passed(bundle):
    assert OUTCOMES.keys() == STATUSES.keys()
    results = json.loads(signatures(bundle)[0].envelopes[1].payload)["predicate"]
    names = named(bundle.manifest.findings)
    for name, finding in zip(names, bundle.manifest.findings, strict=True):
        kind = {"pass": "passedTests", "fail": "failedTests", "error": "failedTests"}.get(finding.status, "warnedTests")
        assert [k for k in ("passedTests", "warnedTests", "failedTests") if name in results[k]] == [kind]
    assert results["result"] == "FAILED"
    assert results["configuration"][0]["name"] == "plan"


@pytest.mark.parametrize(("statuses", "result"), [
    (["pass"], "PASSED"), (["pass", "inconclusive"], "WARNED"), (["pass", "not run"], "WARNED"),
    (["not run", "error"], "FAILED"), ([], "WARNED"),
])  # fmt: skip
def test_the_result_of_all_is_passed_only_where_all_passed(bundle, statuses, result):
    from dataclasses import replace

    first = bundle.manifest.findings[0]
    manifest = replace(bundle.manifest, findings=tuple(replace(first, status=each) for each in statuses))
    found = json.loads(statements(manifest, "", ())[1])["predicate"]
    assert found["result"] == result
    assert len({*found["passedTests"], *found["warnedTests"], *found["failedTests"]}) == len(statuses)


def test_a_signature_of_another_bundle_is_refused(bundle, tmp_path):
    other = Forged(bundle.folder)
    other.manifest["name"] = "another"
    other.save()
    with pytest.raises(IntegrityError, match="belongs to another bundle: its manifest is"):
        signatures(read(bundle.folder))


def test_a_subject_or_a_result_that_is_signed_anew_is_refused(place, bundle):
    def other_data(document):
        document["subject"][1]["digest"]["sha256"] = "0" * 64
        return document

    def all_passed(document):
        if "result" in document["predicate"]:
            document["predicate"]["result"] = "PASSED"
        return document

    kept = file_of(bundle).read_text()
    for change, why in (
        (other_data, "its data is 0000"),
        (all_passed, "does not state what the bundle states"),
        (lambda d: d | {"subject": []}, "is not about weights"),
        (lambda d: d | {"subject": [7, {"name": [], "digest": 3}]}, "is not about weights"),
        (lambda d: d | {"predicateType": "https://slsa.dev/provenance/v1"}, "does not contain a statement of type"),
        (lambda d: d | {"predicate": []}, "does not say when it was signed"),
        (
            lambda d: d | {"predicate": {"signed": "2026-01-01T00:00:00+00:00", "signoffs": [{}]}},
            "or which sign-offs it covers",
        ),
    ):
        resigned(place, bundle, change)
        with pytest.raises(IntegrityError, match=why):
            signatures(bundle)
        file_of_kept = next((bundle.folder / "signatures").iterdir())
        file_of_kept.write_text(kept)


def test_a_signature_for_another_purpose_is_refused(place, bundle):
    resigned(place, bundle, lambda document: document, namespace="git")
    with pytest.raises(IntegrityError, match="for the namespace 'git'"):
        signatures(bundle)


def test_a_key_that_is_not_the_one_that_is_named_is_refused(place, bundle):
    resigned(place, bundle, lambda document: document, by=BOB)
    with pytest.raises(IntegrityError, match="names the key 'SHA256:"):
        signatures(bundle)


def test_envelopes_that_are_swapped_or_have_each_others_signature_are_refused(place, bundle):
    file = file_of(bundle)
    one, two = file.read_text().splitlines()
    file.write_text(f"{two}\n{one}\n")
    with pytest.raises(IntegrityError, match="does not contain a statement of type"):
        signatures(bundle)
    first, second = json.loads(one), json.loads(two)
    first["signatures"], second["signatures"] = second["signatures"], first["signatures"]
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(IntegrityError, match="the signature does not match the signed content"):
        sealed(bundle, allowed(place, f"{ALICE} {public(place / ALICE)}"))


def _envelope(**parts):
    whole = {"payload": "", "payloadType": TYPE, "signatures": [{"keyid": "", "sig": "AA=="}]}
    return json.dumps(whole | parts)


def _twice(line):
    document = json.loads(line)
    document["signatures"] *= 2
    return json.dumps(document)


@pytest.mark.parametrize("spell", [
    lambda line: line[:-9], lambda line: "", lambda line: "[]", lambda line: "{}", lambda line: "[" * 100_000,
    lambda line: line.replace('"payload": "', '"payload": "*'), lambda line: line + " ", _twice,
    lambda line: line.replace(TYPE, "application/json"), lambda line: line.replace('"sig"', '"signature"'),
    lambda line: _envelope(payload=None), lambda line: _envelope(signatures={"a": 1}),
    lambda line: _envelope(signatures=[7]), lambda line: _envelope(signatures=[{"keyid": "", "sig": ""}]),
    lambda line: _envelope(signatures=[{"keyid": 1, "sig": ""}]),
    lambda line: "\ud7ff\x00",
])  # fmt: skip
def test_a_damaged_signature_is_one_sentence(bundle, spell):
    file = file_of(bundle)
    one, two = file.read_text().splitlines()
    file.write_text(f"{spell(one)}\n{two}\n")
    with pytest.raises(IntegrityError, match=r"signatures/\w+\.intoto\.jsonl of people"):
        signatures(bundle)


def test_links_and_huge_files_are_not_opened(bundle, tmp_path):
    file = file_of(bundle)
    kept = file.rename(tmp_path / "elsewhere")
    file.symlink_to(kept)
    with pytest.raises(IntegrityError, match="points outside the bundle"):
        signatures(bundle)
    file.unlink()
    with file.open("wb") as stream:
        stream.truncate(2**24 + 1)
    with pytest.raises(IntegrityError, match="larger than 16 MiB"):
        signatures(bundle)
    file.unlink()
    file.parent.rmdir()
    (tmp_path / "there").mkdir()
    file.parent.symlink_to(tmp_path / "there")
    with pytest.raises(IntegrityError, match="points outside the bundle"):
        signatures(bundle)


def test_who_may_sign_is_read_from_a_file_of_public_keys_alone(place, tmp_path):
    for content, why in (
        ("", "lists no keys"),
        ("# x\n", "lists no keys"),
        ("ssh-ed25519 AAAA\nssh-rsa BBBB", "not hold exactly one public key"),
    ):
        (tmp_path / "who").write_text(content)
        with pytest.raises(PlanError, match=why):
            read_signers(tmp_path / "who")
    (tmp_path / "who").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="is not a text file"):
        read_signers(tmp_path / "who")
    with pytest.raises(PlanError, match="private key"):
        read_signers(place / ALICE)
    with pytest.raises(PlanError, match="there is no file"):
        read_signers(tmp_path / "absent")


def test_an_audit_that_is_not_complete_or_a_key_that_is_none_does_not_sign(place, bundle, tmp_path):
    with pytest.raises(PlanError, match="there is no key"):
        sign(bundle, tmp_path / "absent")
    (tmp_path / "no_key").write_text("x")
    with pytest.raises(ProbeError, match="ssh-keygen cannot sign with"):
        sign(bundle, tmp_path / "no_key")
    bundle.change(status="interrupted")
    with pytest.raises(PlanError, match="is interrupted; run the same audit again"):
        sign(bundle, place / ALICE)


def test_a_copy_of_a_signature_does_not_pass_for_that_of_a_second_person(bundle):
    shutil.copy(file_of(bundle), file_of(bundle).with_name("another.intoto.jsonl"))
    with pytest.raises(IntegrityError, match="are signed with one key, SHA256:"):
        verify(bundle.folder)


def test_a_passphrase_is_asked_for_once_by_each_tool(place, bundle, monkeypatch, tmp_path):
    asked = []
    run = subprocess.run

    def asking(command, **rest):
        unlocked = {"openssl": ["-passin", "pass:secret"], "ssh-keygen": []}[Path(command[0]).name]
        if locked in command and command[1] != "-l":
            asked.append(command)
            command = [*command, *unlocked]
        return run(command, **rest)

    monkeypatch.setattr(subprocess, "run", asking)
    for made in (
        ["openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret", "-out"],
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"],
    ):
        locked = str(tmp_path / made[0])
        run([*made, locked], check=True, capture_output=True)
        sign(bundle, locked)
        assert len(asked) == 1, asked
        asked.clear()
    assert len(signatures(bundle)) == 3
