"""Keys of ed25519 outside SSH: made and checked by openssl, and as hard to forge as those of SSH."""

import base64
import json
import shutil
import subprocess

import pytest

from probe.audit import read
from probe.audit.signing import pem, read_signers, seal, sign, signatures, signers_from, ssh
from probe.errors import IntegrityError, PlanError, ProbeError, Unsupported
from tests.dashboards.conftest import table

ALICE = "Alice Müller <alice@example.org>"


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def key(folder, name, kind="ed25519"):
    openssl("genpkey", "-algorithm", kind, "-out", folder / f"{name}.pem")
    return folder / f"{name}.pem"


def public(key):
    return openssl("pkey", "-in", key, "-pubout").decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pem")
    sign(table(folder / "people"), key(folder, "alice"))
    key(folder, "bob")
    return folder


@pytest.fixture
def bundle(place, tmp_path):
    return read(shutil.copytree(place / "people", tmp_path / "people"))


def sealed(bundle, text, revoked=None):
    signers = signers_from(text, "keys.pem", revoked)
    return seal((bundle.manifest.digest, bundle.manifest.evidence_digest), signatures(bundle), signers=signers)


def file_of(bundle):
    return bundle.folder / signatures(bundle)[0].file


def test_a_signature_of_ed25519_is_checked_by_the_vector_of_rfc_8032():
    raw = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    made = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    pem.check(b"\x72", made, pem.wire(raw))
    with pytest.raises(IntegrityError):
        pem.check(b"\x73", made, pem.wire(raw))
    with pytest.raises(IntegrityError):
        pem.check(b"\x72", made[:32] + bytes(32), pem.wire(raw))


def test_a_key_in_pem_signs_and_is_named_by_the_line_before_it(place, bundle):
    text = public(place / "alice.pem")
    assert sealed(bundle, f"# those who may\n{ALICE}\n{text}").words == f"signed by {ALICE}"
    assert sealed(bundle, text).words == f"signed by {signatures(bundle)[0].key}"
    both = f"Bob\n{public(place / 'bob.pem')}\n{ALICE}\n{text}".replace("\n", "\r\n")
    assert sealed(bundle, both).words == f"signed by {ALICE}"


def test_openssl_alone_checks_the_signature_that_probe_made(place, bundle, tmp_path):
    for at, line in enumerate(file_of(bundle).read_text().splitlines()):
        document = json.loads(line)
        payload = base64.b64decode(document["payload"])
        kind = document["payloadType"].encode()
        (tmp_path / "message").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
        (tmp_path / "sig").write_bytes(base64.b64decode(document["signatures"][0]["sig"]))
        (tmp_path / "pub").write_text(public(place / "alice.pem"))
        given = ("-inkey", tmp_path / "pub", "-sigfile", tmp_path / "sig", "-in", tmp_path / "message")
        assert b"Verified" in openssl("pkeyutl", "-verify", "-rawin", "-pubin", *given), at


def test_one_key_has_one_fingerprint_and_may_be_given_as_a_key_of_ssh(place, bundle, tmp_path):
    wire = pem.private(place / "alice.pem").public
    line = f"ssh-ed25519 {base64.b64encode(wire).decode()} alice"
    (tmp_path / "alice.pub").write_text(line)
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "alice.pub")], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split()[1] == signatures(bundle)[0].key == ssh.fingerprint_of(wire)
    assert sealed(bundle, line).words == "signed by alice"


def test_a_signature_of_ssh_is_held_against_a_key_in_pem(place, bundle, tmp_path):
    file_of(bundle).unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    sign(bundle, tmp_path / "key")
    wire = base64.b64decode((tmp_path / "key.pub").read_text().split()[1])
    assert sealed(bundle, f"Carol, of the agency\n{pem.armoured(wire)}").words == "signed by Carol, of the agency"


def test_a_key_of_another_person_signs_for_nobody(place, bundle):
    with pytest.raises(IntegrityError, match="signed the bundle: it is signed with the key SHA256:"):
        sealed(bundle, public(place / "bob.pem"))
    with pytest.raises(IntegrityError, match="give its public key in PEM"):
        sealed(bundle, "alice ssh-rsa AAAA")


@pytest.mark.parametrize("what", ["other payload", "other signature", "other key"])
def test_a_signature_that_was_changed_is_refused(place, bundle, what):
    lines = []
    for line in file_of(bundle).read_text().splitlines():
        document = json.loads(line)
        if what == "other signature":
            document["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
        elif what == "other key":  # Bob signed, and says that it was Alice
            payload = base64.b64decode(document["payload"])
            made = pem.private(place / "bob.pem").sign(
                b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
            )
            document["signatures"][0]["sig"] = base64.b64encode(made).decode()
        else:
            payload = json.loads(base64.b64decode(document["payload"]))
            if "signed" in payload["predicate"]:
                payload["predicate"]["signed"] = "2020-01-01T00:00:00+00:00"
            document["payload"] = base64.b64encode(json.dumps(payload, ensure_ascii=False).encode()).decode()
        lines.append(json.dumps(document) + "\n")
    file_of(bundle).write_text("".join(lines))
    with pytest.raises(IntegrityError, match="does not match the signed content"):
        sealed(bundle, public(place / "alice.pem"))


def test_a_signature_without_the_fingerprint_of_a_key_is_refused(bundle):
    file = file_of(bundle)
    for keyid in ("", "alice", "SHA256:" + "A" * 42):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for each in lines:
            each["signatures"][0]["keyid"] = keyid
        file.write_text("".join(json.dumps(each) + "\n" for each in lines))
        with pytest.raises(IntegrityError, match="has no fingerprint of a key"):
            signatures(bundle)


def test_a_revoked_key_is_nobodys_in_each_form_of_a_list(place, bundle, tmp_path):
    text = public(place / "alice.pem")
    line = f"ssh-ed25519 {base64.b64encode(pem.private(place / 'alice.pem').public).decode()}\n"
    (tmp_path / "gone.pem").write_text(text)
    (tmp_path / "gone").write_text(f"# lost\n{line}")
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(tmp_path / "krl"), str(tmp_path / "gone")], check=True)
    for name in ("gone.pem", "gone", "krl"):
        with pytest.raises(IntegrityError, match="the key is revoked"):
            sealed(bundle, text, tmp_path / name)
    (tmp_path / "other.pem").write_text(public(place / "bob.pem"))
    assert sealed(bundle, text, tmp_path / "other.pem").words.startswith("signed by")


def test_a_list_of_revoked_keys_with_what_is_no_key_is_refused_rather_than_passed_over(place, bundle, tmp_path):
    (tmp_path / "gone").write_text(
        f"alice ssh-ed25519 {base64.b64encode(pem.private(place / 'alice.pem').public).decode()}\n"
    )
    with pytest.raises(PlanError, match="which is no public key"):
        sealed(bundle, public(place / "alice.pem"), tmp_path / "gone")


def test_what_is_no_public_key_of_ed25519_is_one_sentence(place, bundle):
    text = public(place / "alice.pem")
    for given, why in (
        (public(key(place, "rsa", "rsa")), "is not ed25519"),
        (text.replace("MCow", "MCo!"), "is not ed25519"),
        (text[:40], "ends before a key does"),
        (f"{text}\nBob", "ends before a key does"),
        (f"Bob\nCarol\n{text}", "put one name before each key"),
        ((place / "alice.pem").read_text(), "is a private key"),
    ):
        with pytest.raises(PlanError, match=why):
            sealed(bundle, given)


def test_an_encrypted_key_without_a_terminal_and_a_machine_without_openssl_are_one_sentence(place, bundle, monkeypatch):
    openssl("pkey", "-in", place / "alice.pem", "-aes256", "-passout", "pass:x", "-out", place / "locked.pem")
    done = subprocess.CompletedProcess([], 1, b"", b"unable to load key\n")
    with monkeypatch.context() as patched:
        patched.setattr(pem, "_run", lambda *_, **__: done)
        with pytest.raises(ProbeError, match="cannot read the key"):
            sign(bundle, place / "locked.pem")
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(Unsupported, match="install OpenSSL"):
        sign(bundle, place / "alice.pem")


def test_a_mark_of_an_editor_before_the_keys_is_passed_over_and_what_no_key_has_is_one_sentence(place, bundle):
    assert sealed(bundle, "\ufeff" + public(place / "alice.pem")).words.startswith("signed by")
    for odd in ("\ud800", "alice\x00 ssh-ed25519 AAAA"):
        with pytest.raises(PlanError, match="characters that cannot occur in a key"):
            sealed(bundle, odd)


def test_a_key_of_another_kind_in_pem_is_left_to_ssh_keygen(place):
    assert pem.private(key(place, "other", "rsa")) is None
    assert pem.private(place / "alice.pem")
    assert read_signers(_written(place)).names


def _written(place):
    path = place / "keys.pem"
    path.write_text(public(place / "alice.pem"))
    return path
