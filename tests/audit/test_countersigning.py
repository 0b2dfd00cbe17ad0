"""Counter-signatures: a second auditor runs a tenth again, which digest and key draw."""

import base64
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from probe.audit import plan_from, read, run, verification, verify
from probe.audit.countersigning import countersign
from probe.audit.signing import envelope, pem, seal, sign, signers_from
from probe.audit.signing.countersignatures import BINDS, chosen, countersignatures
from probe.audit.strict import plain
from probe.errors import IntegrityError, PlanError
from tests.audit.conftest import table
from tests.audit.forging import Forged


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An audit with every kind of step, signed by Ann and counter-signed by Ben."""
    folder = tmp_path_factory.mktemp("second")
    for name in ("ann", "ben", "cy"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / name)
    wanted = {
        "explain": {"sample": 20, "methods": ["input_x_gradient"]},
        "attack": {"sample": 30, "eps": ["0.05", "0.2"], "methods": [{"method": "pgd", "steps": 3}]},
        "survey": {"sample": 20},
    }
    bundle = run(plan_from({"name": "people", "model": {"zoo": "any"}, **wanted}), *table(), folder / "people")
    sign(bundle, folder / "ann")
    again(folder / "people", folder / "ben")
    return folder


@pytest.fixture
def bundle(place, tmp_path):
    return read(shutil.copytree(place / "people", tmp_path / "people"))


def again(folder, key, subject=table):
    stored = read(folder)
    plan = plan_from(plain(stored.manifest.plan), sources=False)
    return countersign(stored, key, plan, *subject())


def file_of(bundle):
    return next((bundle.folder / "countersignatures").iterdir())


def resigned(place, bundle, change, by="ben"):
    """The counter-signature with another content, signed anew by its own key."""
    document = json.loads(file_of(bundle).read_text())
    payload = json.loads(base64.b64decode(document["payload"]))
    change(payload["predicate"])
    data = json.dumps(payload, ensure_ascii=False).encode()
    made = pem.private(place / by).sign(envelope.encoded(envelope.TYPE, data))
    file_of(bundle).write_text(envelope.write(envelope.Envelope(data, document["signatures"][0]["keyid"], made)) + "\n")


@pytest.mark.slow
def test_a_tenth_of_the_rows_of_each_step_is_run_again_and_agrees(bundle):
    (found,) = verify(bundle.folder).countersignatures
    steps = {each.step: (each.of, len(each.rows)) for each in found.rerun.steps}
    assert steps == {"predictions": (300, 30), "explain-input_x_gradient": (20, 2), "attack-pgd": (30, 3)}
    assert found.rerun.words == "35 of 35 rows of 3 steps, a tenth drawn by digest and key, agree within 0.001"
    assert not verify(bundle.folder).unlisted


@pytest.mark.slow
def test_its_key_is_told_from_those_who_signed_and_the_words_of_the_seal_stay(place, bundle):
    result = verify(bundle.folder)
    keys = "".join(f"{name}\n{openssl('pkey', '-in', place / name, '-pubout').decode()}" for name in ("ann", "ben"))
    digests = (result.digest, result.evidence_digest)
    seconds = [each.signature for each in result.countersignatures]
    found = seal(digests, result.signatures, signers=signers_from(keys, "keys"), seconds=seconds)
    assert found.words == "signed by ann"
    assert [each.name for each in found.seconds] == ["ben"]


def test_the_rows_to_run_again_depend_on_the_digest_and_the_key_alone():
    one = chosen("a" * 64, "SHA256:x", range(1000))
    assert len(one) == 100
    assert one == chosen("a" * 64, "SHA256:x", range(999, -1, -1))
    assert len(set(one) & set(chosen("b" * 64, "SHA256:x", range(1000)))) < 30
    assert len(set(one) & set(chosen("a" * 64, "SHA256:y", range(1000)))) < 30
    counted = np.bincount([row for key in range(300) for row in chosen("a" * 64, str(key), range(50))], minlength=50)
    assert 10 < counted.min() <= counted.max() < 55
    assert chosen("a" * 64, "", []) == ()
    assert len(chosen("a" * 64, "", [7])) == 1


@pytest.mark.parametrize(("change", "why"), [
    (lambda said: said["steps"][0]["rows"].__setitem__(0, said["steps"][0]["rows"][0] + 1), "covers other rows"),
    (lambda said: said["steps"][0].update(rows=said["steps"][0]["rows"][:1]), "covers other rows"),
    (lambda said: said["steps"].pop(), "does not cover every step"),
    (lambda said: said["steps"].reverse(), "does not cover every step"),
    (lambda said: said.update(tolerance=0.5), "with a tolerance other than"),
    (lambda said: said.update(signed="today"), "or has no valid time"),
    (lambda said: said.update(signed="2026-02-30T10:00:00+00:00"), "or has no valid time"),
    (lambda said: said.update(signed="٢٠٢٦-01-01T10:00:00+00:00"), "or has no valid time"),
    (lambda said: said["steps"][0].update(differing=[-1]), "that were not run again"),
    (lambda said: said["steps"][0].update(differing=said["steps"][0]["rows"]), "too many rows differ"),
    (lambda said: said.update(verdict="all is well"), "no audit writes"),
])  # fmt: skip
def test_a_statement_that_says_something_else_is_refused_though_its_key_signed_it(
    place, bundle, change, why, monkeypatch
):
    # The numbers, which are computed again before, are those of every case.
    monkeypatch.setattr(verification, "_check_numbers", lambda bundle: (0, 0))
    resigned(place, bundle, change)
    with pytest.raises(IntegrityError, match=why):
        verify(bundle.folder)


def test_a_counter_signature_of_another_bundle_or_over_something_else_is_refused(place, bundle):
    other = Forged(bundle.folder)
    other.manifest["created"] = "2026-01-01T00:00:00+00:00"
    other.save()
    shutil.rmtree(bundle.folder / "signatures")
    with pytest.raises(IntegrityError, match="another bundle: its manifest is"):
        countersignatures(read(bundle.folder))


def test_a_counter_signature_with_the_name_of_anothers_key_is_refused(place, bundle):
    resigned(place, bundle, lambda said: None, by="cy")
    (found,) = countersignatures(bundle)
    keys = f"ben\n{openssl('pkey', '-in', place / 'ben', '-pubout').decode()}"
    result = verify(bundle.folder)
    with pytest.raises(IntegrityError):
        seal((result.digest,) * 2, (found.signature,), signers=signers_from(keys, "keys"))


def test_who_signed_an_audit_cannot_counter_sign_it(place, bundle):
    with pytest.raises(PlanError, match="is made with another's key"):
        again(bundle.folder, place / "ann")
    sign(bundle, place / "ben")
    with pytest.raises(IntegrityError, match="with a key that signed the audit itself"):
        verify(bundle.folder)


def test_another_model_or_other_rows_are_not_counter_signed(place, bundle):
    def other_rows():
        model, data = table()
        return model, replace(data, inputs=data.inputs.flip(0))

    def other_model():
        model, data = table()
        return replace(model, forward=lambda x: model.forward(x) + 1), data

    for subject, why in ((other_rows, "data is not the one"), (other_model, "model is not the one")):
        with pytest.raises(IntegrityError, match=why):
            again(bundle.folder, place / "cy", subject)
    assert len(list((bundle.folder / "countersignatures").iterdir())) == 1


def test_results_that_the_model_does_not_give_are_found_and_nothing_is_signed(place, tmp_path):
    shutil.copytree(place / "people", tmp_path / "people")
    for name in ("signatures", "countersignatures"):
        shutil.rmtree(tmp_path / "people" / name)
    forged = Forged(tmp_path / "people")
    arrays = dict(read(tmp_path / "people").arrays("explain-input_x_gradient"))
    forged.write_arrays("explain-input_x_gradient", arrays | {"by_feature": arrays["by_feature"] * 1.2 + 0.1})
    forged.save()
    with pytest.raises(IntegrityError, match=r"differ by more than 0.001, first row \d+ of explain-input_x_gradient"):
        again(tmp_path / "people", place / "cy")
    assert not (tmp_path / "people" / "countersignatures").exists()


def test_two_lines_a_line_of_windows_and_a_link_are_refused(bundle, tmp_path):
    file = file_of(bundle)
    line = file.read_bytes()
    for damaged in (line * 2, line[:-1], line[:-1] + b"\r\n", b"", b"\n"):
        file.write_bytes(damaged)
        with pytest.raises(IntegrityError):
            countersignatures(bundle)
    file.write_bytes(line)
    (bundle.folder / "countersignatures").rename(tmp_path / "elsewhere")
    (bundle.folder / "countersignatures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="points outside the bundle"):
        countersignatures(bundle)


def test_the_report_says_what_was_run_again_and_what_the_draw_does_not_bind(bundle):
    from probe.report.sections.signoff import section

    *_, said, table = section(bundle).blocks
    assert said.text.startswith(BINDS)
    assert "only the signer says" in BINDS
    assert table.rows[0][-1] == countersignatures(bundle)[0].rerun.words


def test_a_copy_of_a_counter_signature_does_not_pass_for_that_of_a_third_auditor(bundle):
    shutil.copy(file_of(bundle), file_of(bundle).with_name("another.intoto.jsonl"))
    with pytest.raises(IntegrityError, match="are signed with one key, SHA256:"):
        verify(bundle.folder)
