"""`probe sign` and `probe verify --signers`: what they say, and their exit codes."""

import json
import shutil
import subprocess

import pytest

from tests.dashboards.conftest import table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    table(folder / "people")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f", str(folder / "key")], check=True
    )
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_signed_bundle_is_signed_by_its_signer_and_by_nobody_else(probe, here):
    said = probe("verify", "people", code=0).stdout
    assert "Seal: consistent with itself." in said
    assert "who wrote the files" in said
    assert "SHA256:" in probe("sign", "people", "--key", "key", code=0).stdout
    said = probe("verify", "people", code=0).stdout
    assert "Seal: consistent with itself." in said
    assert "not yet checked against a key: give --signers" in said
    assert "Not part of the audit" not in said
    assert "Seal: signed by alice." in probe("verify", "people", "--signers", "key.pub", code=0).stdout
    found = json.loads(probe("verify", "people", "--signers", "key.pub", "--json", code=0).stdout)
    assert found["seal"] == "signed by alice"
    assert found["signatures"][0]["by"] == "alice"
    (here / "others").write_text(
        "bob ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDsemBajPkOpiLpOP3V8H2sMSY6Xtd2XT0JyB+P0A262\n"
    )
    assert "nobody in others signed the bundle" in probe("verify", "people", "--signers", "others", code=4).stderr


@pytest.mark.slow
def test_a_signature_of_another_bundle_ends_with_the_code_of_integrity_without_signers_too(probe, here):
    probe("sign", "people", "--key", "key", code=0)
    shutil.copytree("people", "other")
    manifest = json.loads((here / "other" / "audit.json").read_text())
    from tests.audit.forging import Forged

    forged = Forged(here / "other", manifest)
    forged.manifest["created"] = "2026-01-01T00:00:00+00:00"
    forged.save()
    assert "belongs to another bundle" in probe("verify", "other", code=4).stderr


@pytest.mark.slow
def test_what_cannot_be_signed_with_is_one_sentence(probe, here):
    assert "there is no key absent" in probe("sign", "people", "--key", "absent", code=2).stderr
    (here / "text").write_text("x")
    assert "ssh-keygen cannot sign with text" in probe("sign", "people", "--key", "text", code=2).stderr
    assert "--revoked needs --signers" in probe("verify", "people", "--revoked", "key.pub", code=2).stderr
    assert "is a private key" in probe("verify", "people", "--signers", "key", code=2).stderr
    (here / "people" / "tables" / "robustness.csv").write_text("x")
    assert "its digest differs" in probe("sign", "people", "--key", "key", code=4).stderr


def test_without_ssh_keygen_the_package_to_install_is_named(probe, here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    assert "install OpenSSH" in probe("sign", "people", "--key", "key", code=2).stderr


def signed_off(probe, *more, code=0):
    said = ("--name", "Ada", "--role", "auditor", "--statement", "For a pilot only.")
    return probe("signoff", "people", *said, *more, code=code)


@pytest.mark.slow
def test_a_sign_off_decides_about_every_failure_and_is_shown_where_the_bundle_is_verified(probe, here):
    refused = signed_off(probe, code=2).stderr
    assert "3 open failures have no decision" in refused
    assert "1: robustness: withstands FGSM and PGD at eps 0.2 (fail)" in refused
    all_three = (
        "--accept",
        "1=a = b",
        "--reject",
        "withstands FGSM and PGD at eps 0.4=too weak",
        "--accept",
        "3=known",
    )
    assert "is decided twice" in signed_off(probe, *all_three, "--reject", "1=x", code=2).stderr
    assert "names no open failure" in signed_off(probe, "--accept", "accuracy=x", code=2).stderr
    assert not (here / "people" / "signoffs").exists()
    signed_off(probe, *all_three)
    probe("sign", "people", "--key", "key", code=0)
    said = probe("verify", "people", "--signers", "key.pub", code=0).stdout
    assert "Sign-off 1, covered by the signature of alice: Ada, auditor" in said
    assert "accepted: robustness: withstands FGSM and PGD at eps 0.2: a = b" in said
    assert "rejected: robustness: withstands FGSM and PGD at eps 0.4: too weak" in said
    (here / "people" / "signoffs" / "0001.json").unlink()
    assert "a sign-off that signatures/" in probe("verify", "people", code=4).stderr


@pytest.mark.slow
def test_a_counter_signature_is_shown_where_the_bundle_is_verified(probe, here, drawn, monkeypatch):
    from probe.audit import plan_from, read, run
    from probe.audit.signing.countersignatures import BINDS
    from probe.audit.strict import plain
    from probe.report import render
    from tests.audit.conftest import table as subject

    wanted = {"explain": {"sample": 0}, "attack": {"sample": 0}, "survey": {"sample": 0}}
    run(plan_from({"name": "people2", "model": {"zoo": "any"}, **wanted}), *subject(), "people2")
    assert plain(read("people2").manifest.plan)["model"]["zoo"] == "any"
    monkeypatch.setattr("probe.cli.sources.open_both", lambda plan, **_: subject())
    read("people2").write_report(render(read("people2")))
    said = probe("countersign", "people2", "--key", "key", code=0).stdout
    assert "30 of 30 rows of 1 step, a tenth drawn by digest and key, agree within 0.001" in said
    said = probe("verify", "people2", code=0).stdout
    assert "not checked against a key: 30 of 30 rows" in said
    assert BINDS in " ".join(said.split())
    assert "30 of 30 rows of 1 step" in (here / "people2" / "report.html").read_text()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bob", "-f", "bob"], check=True)
    probe("sign", "people2", "--key", "bob", code=0)
    for name in ("alice", "bob"):
        public = (here / ("key.pub" if name == "alice" else "bob.pub")).read_text().rsplit(" ", 1)[0]
        with (here / "allowed").open("a") as file:
            file.write(f"{name} {public}\n")
    said = probe("verify", "people2", "--signers", "allowed", code=0).stdout
    assert "Seal: signed by bob." in said
    assert "as it says: alice: 30 of 30 rows" in said
    found = json.loads(probe("verify", "people2", "--signers", "allowed", "--json", code=0).stdout)
    (second,) = found["countersignatures"]
    assert second["by"] == "alice"
    assert len(second["steps"][0]["rows"]) == 30
    assert "is made with another's key" in probe("countersign", "people2", "--key", "bob", code=2).stderr
