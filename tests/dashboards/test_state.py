import json
from pathlib import Path

import pytest
from probe_dashboards import command, state
from probe_dashboards.views.runs import listing

from probe.audit import canonical, read, reading
from probe.audit.glimpse import glimpse
from probe.errors import IntegrityError


def test_a_link_selects_what_it_names():
    assert state.choose("eps", "0.2", ["0.1", "0.2"]) == state.Choice("0.2")


def test_a_link_that_asks_for_nothing_gets_the_default_without_a_message():
    assert state.choose("eps", None, ["0.1", "0.2"], "0.2") == state.Choice("0.2")


@pytest.mark.parametrize(
    ("asked", "nearest"), [("17", "16"), ("999", "40"), ("pgdd", "3"), ("-1", "3"), ("٣", "3"), ("x" * 10**6, "3")]
)
def test_a_stale_link_gets_the_nearest_with_a_message(asked, nearest):
    choice = state.choose("row", asked, ["3", "16", "40"])
    assert choice.value == nearest
    assert choice.stale.startswith("This link asks for row")
    assert len(choice.stale) < 300


def test_messages_escape_the_values_of_a_link():
    assert "<" not in state.choose("by", "<script>[x](y)", ["sex"]).stale


def test_a_run_is_named_by_its_folder_and_its_evidence():
    assert state.run_id("adult-mlp", "ab" * 32) == "adult-mlp~abababababab"
    assert state.RUN.fullmatch(state.run_id("../.. <b>", "not a digest"))


def test_a_link_to_evidence_that_has_changed_says_so_and_shows_the_same_audit():
    ids = ["new~000000000000", "adult~111111111111"]
    choice = state.choose_run("adult~222222222222", ids)
    assert choice.value == ids[1]
    assert "222222222222" in choice.stale


def test_the_name_of_a_folder_alone_is_a_link_to_the_audit_in_it_unless_two_are_written_alike():
    ids = ["new~000000000000", "my-audit~111111111111"]
    assert state.choose_run("my audit", ids) == state.Choice(ids[1])
    assert state.choose_run("my audit", [*ids, "my-audit~222222222222"]).stale


@pytest.mark.parametrize("asked", ["gone~111111111111", "../../etc/passwd", "<script>", "a" * 10**5])
def test_a_link_to_an_audit_that_is_gone_says_so_and_shows_the_newest(asked):
    choice = state.choose_run(asked, ["new~000000000000"])
    assert choice.value == "new~000000000000"
    assert choice.stale


def test_ids_for_links_hold_no_foreign_characters_and_tell_all_names_apart():
    slugs = state.slugs(["sex x race", "Sex X Race", "<script>", "", "8/255", "日本"])
    assert list(slugs.values()) == ["sex x race", "Sex X Race", "<script>", "", "8/255", "日本"]
    assert next(iter(slugs)) == "sex-x-race"
    assert "8/255" in slugs
    assert all(set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-./") for slug in slugs)


def test_the_viewer_listens_on_this_machine_only():
    argv = command("runs", 9000)
    assert "--server.address=127.0.0.1" in argv
    assert "--server.port=9000" in argv
    assert argv[-2] == "--"
    assert argv[-1].endswith("/runs")


def test_every_flag_exists_in_this_streamlit():
    from streamlit import config

    known = config.get_config_options(force_reparse=False)
    flags = [flag[2:].split("=")[0] for flag in command("runs") if flag.startswith("--") and "=" in flag]
    assert set(flags) <= set(known)


def test_audits_are_listed_newest_first_and_broken_ones_apart(tmp_path, bundles):
    import shutil

    shutil.copytree(bundles.image.folder, tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "audit.json").write_text("{")
    (tmp_path / "three").mkdir()
    manifest = (bundles.image.folder / "audit.json").read_text()
    (tmp_path / "three" / "audit.json").write_text(manifest.replace('"name": "demo"', '"name": ["demo"]'))
    found, broken = listing(tmp_path)
    assert {run.id.split("~")[0] for run in found} == {"one"}
    reasons = {bad.folder: bad.reason for bad in broken}
    assert reasons.keys() == {"two", "three"}
    assert "damaged" in reasons["two"]
    assert "its digest differs" in reasons["three"]


def test_an_audit_whose_digest_fits_but_whose_manifest_no_audit_writes_is_told_of_where_it_is_opened(tmp_path, bundles):
    import json
    import shutil

    from probe.audit.canonical import digest, dump
    from tests.dashboards.test_pages import opened

    for name in ("one", "two"):
        shutil.copytree(bundles.image.folder, tmp_path / name)
    path = tmp_path / "two" / "audit.json"
    document = json.loads(path.read_text()) | {"machine": "none"}
    path.write_bytes(dump(document | {"digest": digest(document)}))
    found, broken = listing(tmp_path)
    assert (len(found), broken) == (2, [])
    two = next(run for run in found if Path(run.folder).name == "two")
    shown = opened(tmp_path, run=two.id)
    said = [warning.value for warning in shown.warning]
    assert any("two cannot be read" in each and "machine" in each for each in said)
    assert any("one" in each and "Shown instead" in each for each in said)


def test_what_a_list_shows_of_an_audit_is_what_its_manifest_says(bundles, monkeypatch):
    def slowly(_):
        raise AssertionError("its digest was not recognised")

    monkeypatch.setattr("probe.audit.glimpse.read", slowly)
    for bundle in (bundles.image, bundles.table, bundles.hostile, bundles.interrupted):
        manifest, head = read(bundle.folder).manifest, glimpse(bundle.folder)
        assert (head.name, head.status, head.created) == (manifest.name, manifest.status, manifest.created)
        assert (head.model, head.data, head.rows) == (manifest.model.name, manifest.data.name, manifest.data.n)
        assert (head.data_sha256, head.digest) == (manifest.data.sha256, manifest.digest)
        assert head.counts == reading.tally(manifest.findings)[0]
        done = {s.method["method"]: (s.forward, s.backward, s.seconds) for s in manifest.steps if s.done and s.method}
        assert head.costs == done


@pytest.mark.parametrize(
    "change",
    [
        lambda finding: dict(reversed(finding.items())),
        lambda finding: finding | {"status": "fine"},
        lambda finding: {key: finding[key] for key in finding if key != "about"},
    ],
)
def test_a_list_refuses_findings_that_no_audit_writes_as_their_reader_does(bundles, tmp_path, change):
    document = json.loads((bundles.table.folder / "audit.json").read_bytes())
    document["findings"][0] = change(document["findings"][0])
    (tmp_path / "audit.json").write_bytes(canonical.dump(document | {"digest": canonical.digest(document)}))
    for look in (read, glimpse):
        with pytest.raises(IntegrityError):
            look(tmp_path)
