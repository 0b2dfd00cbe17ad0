"""The seal, the signatures and the sign-offs of an audit, on its pages."""

import json
import shutil
import subprocess

import pytest
from probe_dashboards.views import runs, sealed

from probe.audit import read
from probe.audit.signing import sign
from probe.audit.signoff import open_failures, sign_off
from probe.report.exports import EXPORTS
from tests.dashboards.conftest import HOSTILE, table
from tests.dashboards.test_pages import opened, text


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with one audit, which Ada signed off and signed."""
    folder = tmp_path_factory.mktemp("sealed")
    bundle = table(folder / "runs" / "people")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", str(folder / "key")], check=True)
    decided = dict.fromkeys(open_failures(bundle.manifest), ("accepted", HOSTILE[1]))
    record = sign_off(bundle, name="Ada", role=HOSTILE[0], statement="For a *pilot* only.", decisions=decided)
    sign(bundle, folder / "key", [record.sha256])
    return folder


@pytest.fixture(scope="module")
def result(place):
    return runs.check(place / "runs" / "people")


@pytest.mark.slow
def test_the_seal_of_a_page_is_that_of_the_terminal(place, result):
    public = (place / "key.pub").read_text()
    whole, evidence = result.digests
    assert sealed.badge(sealed.sealed(result, "", "").seal) == "Consistent with itself"
    assert sealed.badge(sealed.sealed(result, evidence, "").seal) == "Is the one you were given"
    assert sealed.badge(sealed.sealed(result, whole, public).seal) == "Signed by ada"
    other = public.replace("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "bob ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")
    assert sealed.sealed(result, "", other.replace("ada", "")).seal.words == "signed by bob"
    nobody = sealed.sealed(result, "", 'ada valid-before="20200101" ' + public)
    assert nobody.seal is None
    assert "expired" in nobody.wrong
    assert "is a private key" in sealed.sealed(result, "", (place / "key").read_text()).refused


@pytest.mark.slow
def test_a_sign_off_says_which_signature_covers_it(place, result):
    (record,) = result.signoffs
    found = sealed.sealed(result, "", (place / "key.pub").read_text()).seal
    assert "covered by the signature of ada" in sealed.signed_off(record, found)
    assert "not checked against a signature" in sealed.signed_off(record, None)
    assert list(sealed.signatures(result.signatures, found)["By"]) == ["ada"]
    assert list(sealed.decisions(record)["Decision"]) == ["accepted"] * 3


@pytest.mark.slow
def test_the_page_shows_seal_signature_sign_off_exports_and_commands(place, arguments):
    arguments(place / "runs")
    app = opened(place / "runs", "evidence")
    said = text(app)
    assert "Consistent with itself" in said
    assert "SHA256:" in said
    assert "Ada, " in said
    assert "probe sign " in said
    assert len(app.get("download_button")) == 1 + len(EXPORTS)
    app.text_area(key=next(each.key for each in app.text_area if each.key.startswith("signers"))).set_value(
        (place / "key.pub").read_text()
    ).run()
    assert not app.exception
    assert "Signed by ada" in text(app)
    assert "covered by the signature of ada" in text(app)


def test_a_report_has_the_seal_that_is_known_and_the_sections_that_were_chosen(place, result):
    bundle = read(place / "runs" / "people")
    found = sealed.sealed(result, "", (place / "key.pub").read_text()).seal
    page = sealed.report(bundle, ["signoff"], "A note.", found)
    assert "<dd>signed by ada</dd>" in page
    assert "A note." in page
    assert "<script" not in page
    assert sealed.sections().keys() >= {"scope", "findings", "signoff"}


def test_a_broken_chain_of_sign_offs_is_a_mismatch(place, tmp_path):
    shutil.copytree(place / "runs", tmp_path / "runs")
    path = tmp_path / "runs" / "people" / "signoffs" / "0001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"statement": "Never."}, indent=1, ensure_ascii=False))
    found = runs.check(tmp_path / "runs" / "people")
    assert not found.intact
    assert "sign-off" in found.sentence
