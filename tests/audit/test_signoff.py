"""Sign-offs: every open failure is decided, and no record can be changed, taken away or moved unnoticed."""

import json
import shutil

import pytest

from probe.audit import read, verify
from probe.audit.canonical import dump
from probe.audit.signoff import Signoff, open_failures, sign_off, signoffs
from probe.audit.strict import plain
from probe.errors import ExistsError, IntegrityError, PlanError
from tests.audit.forging import Forged
from tests.dashboards.conftest import interrupted, table

SAID = {"name": "Ada", "role": "auditor", "statement": "It may be used for a pilot."}


def decided(bundle, **others):
    return dict.fromkeys(open_failures(bundle.manifest), ("accepted", "a pilot only")) | others


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    bundle = table(tmp_path_factory.mktemp("signed off") / "people")
    sign_off(bundle, **SAID, decisions=decided(bundle))
    sign_off(bundle, **SAID | {"name": "Grace"}, decisions=decided(bundle))
    return bundle.folder


@pytest.fixture
def bundle(place, tmp_path):
    return read(shutil.copytree(place, tmp_path / "people"))


@pytest.mark.slow
def test_records_are_a_chain_that_changes_no_digest(bundle):
    first, second = signoffs(bundle)
    assert (first.number, first.previous, second.previous) == (1, "", first.sha256)
    assert first.bundle == bundle.manifest.digest == read(bundle.folder).manifest.digest
    result = verify(bundle.folder)
    assert [record.name for record in result.signoffs] == ["Ada", "Grace"]
    assert result.unlisted == ()
    assert [each.check for each in first.decisions] == list(open_failures(bundle.manifest))


def test_an_open_failure_without_a_decision_refuses_the_sign_off(bundle):
    failures = open_failures(bundle.manifest)
    assert set(failures.values()) == {"fail"}
    some = dict(list(decided(bundle).items())[1:])
    with pytest.raises(PlanError, match="1 open failures have no decision, first 'robustness: withstands"):
        sign_off(bundle, **SAID, decisions=some)
    with pytest.raises(PlanError, match="'accuracy' is not an open failure"):
        sign_off(bundle, **SAID, decisions=decided(bundle, accuracy=("accepted", "x")))
    for part in SAID:
        with pytest.raises(PlanError, match=f"needs a {part}"):
            sign_off(bundle, **SAID | {part: " "}, decisions=decided(bundle))
    with pytest.raises(PlanError, match="needs a reason for"):
        sign_off(bundle, **SAID, decisions=decided(bundle, **{next(iter(failures)): ("rejected", "")}))
    with pytest.raises(PlanError, match="cannot be written"):
        sign_off(bundle, **SAID | {"name": "\ud800"}, decisions=decided(bundle))
    assert len(signoffs(bundle)) == 2


def change(kept, at, /, **parts):
    path = kept.folder / f"signoffs/{at:04}.json"
    path.write_bytes(dump(json.loads(path.read_text()) | parts))


def swap(one, other):
    one.rename(one.with_name("kept"))
    other.rename(one)
    one.with_name("kept").rename(other)


@pytest.mark.parametrize(("forge", "why"), [
    (lambda b: change(b, 1, statement="Never."), "chain of sign-offs of people is broken: signoffs/0002.json"),
    (lambda b: (b.folder / "signoffs/0001.json").unlink(), "is broken: 0001.json is missing"),
    (lambda b: (b.folder / "signoffs/0002.json").rename(b.folder / "signoffs/0003.json"), "0002.json is missing"),
    (lambda b: change(b, 2, previous=""), "is broken"),
    (lambda b: change(b, 1, number=2), "is broken"),
    (lambda b: change(b, 1, bundle="0" * 64), "belongs to another bundle"),
    (lambda b: change(b, 1, decisions=[]), "decides about other failures"),
    (lambda b: change(b, 1, name=""), "lacks a name"),
    (lambda b: change(b, 1, name=7), "which no audit writes"),
    (lambda b: change(b, 1, approved="yes"), "no audit writes that"),
    (lambda b: change(b, 1, schema=2), "is not written as"),
    (lambda b: (b.folder / "signoffs/0001.json").write_text('{"schema": 1'), "is damaged"),
    (lambda b: (b.folder / "signoffs/0001.json").write_text("[" * 10_000), "is damaged"),
    (lambda b: (b.folder / "signoffs/0002.json").write_bytes(b" " * (2**20 + 1)), "larger than 1 MiB"),
    (lambda b: shutil.copy(b.folder / "signoffs/0002.json", b.folder / "signoffs/0003.json"), "is broken"),
    (lambda b: swap(b.folder / "signoffs/0001.json", b.folder / "signoffs/0002.json"), "is broken"),
    (lambda b: (b.folder / "signoffs/0003.json").mkdir(), "cannot be read: Is a directory"),
    (lambda b: (b.folder / "signoffs/.0003.json").write_text("{}"), "is missing"),
    (lambda b: change(b, 2, statement=" "), "lacks a name, a role, a statement or a reason"),
    (lambda b: change(b, 2, role="x" * 4001), "or one of them is too long"),
    (lambda b: change(b, 2, date="yesterday"), "has the date 'yesterday', expected one such as"),
    (lambda b: change(b, 2, date="2026-02-30T10:00:00+00:00"), "has the date"),
    (lambda b: change(b, 2, date="9999-01-01T00:00:00+00:00"), "which is in the future"),
    (lambda b: change(b, 2, date="2001-01-01T00:00:00+00:00"), "before the one before it"),
])  # fmt: skip
def test_a_record_that_was_changed_is_refused(bundle, forge, why):
    forge(bundle)
    with pytest.raises(IntegrityError, match=why):
        signoffs(bundle)


def test_a_record_that_is_a_link_is_not_opened(bundle, tmp_path):
    path = bundle.folder / "signoffs/0002.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="points outside"):
        signoffs(bundle)


def test_a_changed_audit_has_the_sign_offs_of_another(bundle):
    forged = Forged(bundle.folder)
    forged.manifest["created"] = "2026-01-01T00:00:00+00:00"
    forged.save()
    with pytest.raises(IntegrityError, match="belongs to another bundle"):
        verify(bundle.folder)


def test_an_audit_that_is_written_or_not_complete_is_not_signed_off(bundle):
    from probe import lock

    with lock.writing(bundle.folder), pytest.raises(ExistsError, match="is writing into"):
        sign_off(bundle, **SAID, decisions=decided(bundle))
    bundle.change(status="interrupted")
    with pytest.raises(PlanError, match="is interrupted; run the same audit again"):
        sign_off(bundle, **SAID, decisions=decided(bundle))


@pytest.mark.slow
def test_a_sign_off_is_not_older_than_its_audit(tmp_path):
    bundle = table(tmp_path / "people")
    bundle.change(finished="2026-11-01T00:00:00+00:00")
    bundle.save()
    sign_off(bundle, **SAID, decisions=decided(bundle))
    change(bundle, 1, date="2026-10-01T00:00:00+00:00")
    with pytest.raises(IntegrityError, match="before the audit was finished"):
        verify(bundle.folder)


def test_a_sign_off_that_is_bound_anew_to_an_audit_that_is_not_complete_is_refused(tmp_path):
    bundle = interrupted(tmp_path / "some")
    record = Signoff(
        bundle=bundle.manifest.digest, number=1, previous="", date="2026-11-20T10:00:00+00:00", decisions=(), **SAID
    )
    (bundle.folder / "signoffs").mkdir()
    (bundle.folder / record.file).write_bytes(dump(plain(record)))
    with pytest.raises(IntegrityError, match="is interrupted and has sign-offs, which only a complete audit can have"):
        verify(bundle.folder)


def test_a_name_that_only_looks_like_anothers_is_told_by_its_alphabets(bundle):
    sign_off(bundle, **SAID | {"name": "\N{CYRILLIC CAPITAL LETTER A}da"}, decisions=decided(bundle))
    sign_off(bundle, **SAID | {"name": "Аля"}, decisions=decided(bundle))
    assert [record.by.partition(", ")[2] for record in signoffs(bundle)] == [
        "auditor",
        "auditor",
        "auditor (one word mixes letters of Cyrillic and Latin)",
        "auditor",
    ]


def test_the_report_is_drawn_again_before_anybody_else_can_sign_off(bundle):
    bundle.write_report("of two")

    def drawn(opened):
        with pytest.raises(ExistsError, match="is writing into"):
            sign_off(read(opened.folder), **SAID, decisions=decided(opened))
        return f"of {len(signoffs(opened))}"

    sign_off(bundle, **SAID, decisions=decided(bundle), drawn=drawn)
    assert (bundle.folder / "report.html").read_text() == "of 3"
    assert len(verify(bundle.folder).signoffs) == 3
