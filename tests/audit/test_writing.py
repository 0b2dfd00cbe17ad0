"""Who may write into the folder of an audit, what is left when a writer ends, and what the next one makes of it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pandas as pd
import pytest

from probe import lock
from probe.audit import read, run, verify
from probe.audit.bundle import create
from probe.audit.canonical import digest, evidence_digest
from probe.audit.files import replace as write
from probe.errors import ExistsError, IntegrityError
from tests.audit.conftest import small_plan, table
from tests.audit.forging import sign

PLAN = {"bias": {"groups": []}, "explain": {"sample": 0}, "attack": {"sample": 0}}


def audit(folder, **changes):
    return run(small_plan("p", **(PLAN | changes)), *table(60), folder)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return audit(tmp_path_factory.mktemp("runs") / "p")


@pytest.fixture
def copy(short, tmp_path):
    return shutil.copytree(short.folder, tmp_path / "p")


def test_a_file_is_on_the_disk_before_it_takes_the_name_of_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((tmp_path / "a").read_text()))
    write(tmp_path / "a", b"new")
    assert (seen, (tmp_path / "a").read_text()) == (["old"], "new")


def test_a_second_writer_is_refused_with_the_process_of_the_first(tmp_path):
    with lock.writing(tmp_path):
        assert lock.writer(tmp_path) == os.getpid()
        with pytest.raises(ExistsError, match=f"process {os.getpid()} is writing"), lock.writing(tmp_path):
            pass
        with pytest.raises(ExistsError, match=f"process {os.getpid()} is writing"):
            audit(tmp_path)
    assert lock.writer(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert audit(tmp_path).complete


def test_of_many_writers_one_at_a_time_writes(tmp_path):
    inside, most, refused = 0, 0, 0

    def work():
        nonlocal inside, most, refused
        try:
            with lock.writing(tmp_path):
                inside += 1
                most = max(most, inside)
                threading.Event().wait(0.05)
                inside -= 1
        except ExistsError:
            refused += 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert refused < 20


def test_a_killed_writer_leaves_no_lock(tmp_path):
    code = "import sys, time; from probe import lock\n"
    code += "with lock.writing(sys.argv[1]): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"in\n"
        assert lock.writer(tmp_path) == child.pid
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert lock.writer(tmp_path) is None
    assert (tmp_path / lock.NAME).exists()
    assert audit(tmp_path).complete
    assert verify(tmp_path).unlisted == ()


def test_a_file_that_only_looks_like_a_lock_is_not_taken_for_a_writer(copy):
    (copy / lock.NAME).symlink_to("/etc/passwd")
    assert lock.writer(copy) is None
    (copy / lock.NAME).unlink()
    os.mkfifo(copy / lock.NAME)
    assert lock.writer(copy) is None


def test_a_running_audit_reports_its_progress(copy):
    def running(bundle):
        files = {k: v for k, v in bundle.manifest["files"].items() if k.startswith("arrays")}
        bundle.manifest.update(status="running", findings=[], files=files | groups(bundle))

    sign(copy, running)
    assert verify(copy).writer is None
    with lock.writing(copy):
        result = verify(copy)
    assert (result.status, result.done, result.planned, result.writer) == ("running", 1, 1, os.getpid())


def groups(bundle):
    return {k: v for k, v in bundle.manifest["files"].items() if k == "tables/groups.csv"}


def test_a_folder_that_could_not_get_its_first_file_is_used_by_the_next_audit(tmp_path, monkeypatch):
    folder = tmp_path / "p"

    def full(path, data):
        raise OSError(27, "File too large", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("probe.audit.files.replace", full)
        with pytest.raises(OSError, match=r"audit\.json"):
            audit(folder)
    assert (folder / "arrays").is_dir()
    assert not (folder / "audit.json").exists()
    (folder / ".audit.json.4242").write_text("{")
    assert audit(folder).complete


def test_a_write_that_fails_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"audit\.json") as caught:
        write(tmp_path / "nowhere" / "audit.json", b"{}")
    assert caught.value.filename.endswith("audit.json")


def test_a_folder_with_something_in_its_arrays_is_left_alone(short, tmp_path):
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "mine.npz").write_text("mine")
    with pytest.raises(ExistsError, match="left as it is"):
        create(tmp_path, short.manifest)


def interrupted(folder):
    def stop(bundle):
        files = {k: v for k, v in bundle.manifest["files"].items() if k.startswith("arrays")}
        bundle.manifest.update(status="running", findings=[], files=files | groups(bundle))
        bundle.manifest["finished"] = None

    return sign(folder, stop)


def test_a_damaged_array_is_found_before_anything_is_run_again(copy):
    interrupted(copy)
    path = copy / "arrays" / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    model, data = table(60)
    with pytest.raises(IntegrityError, match=r"predictions\.npz.*start again with --replace"):
        run(small_plan("p", **PLAN), replace(model, usage=type(model.usage)()), data, copy)
    assert not (copy / "tables" / "bias_row_accounting.csv").exists()


def test_what_a_killed_writer_left_behind_is_removed(copy):
    interrupted(copy)
    (copy / "tables" / ".bias_pairs.csv.4242").write_text("half")
    (copy / "report.html").write_text("an old page")
    assert audit(copy).complete
    assert verify(copy).unlisted == ()
    assert not (copy / "report.html").exists()


def test_a_hostile_folder_in_the_place_of_an_audit_is_one_sentence(copy):
    for change in (lambda b: b.manifest.pop("machine"), lambda b: b.manifest.update(steps=[5])):
        bundle = interrupted(shutil.copytree(copy, copy.parent / str(id(change))))
        sign(bundle.folder, change)
        with pytest.raises((IntegrityError, ExistsError)):
            audit(bundle.folder)


def test_a_run_that_lacks_memory_loses_one_step_and_is_continued(tmp_path, monkeypatch):
    def short_of_memory(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("probe.audit.evidence._predictions", short_of_memory)
        with pytest.raises(MemoryError):
            audit(tmp_path / "p")
    assert read(tmp_path / "p").manifest.status == "interrupted"
    assert audit(tmp_path / "p").complete


def test_two_runs_of_one_plan_share_the_evidence_digest_only(short, tmp_path, monkeypatch):
    monkeypatch.setattr("probe.audit.bundle.npz.np.savez_compressed", __import__("numpy").savez)
    again = audit(tmp_path / "p")
    again.change(created="2020-01-01T00:00:00+00:00")
    again.save()
    assert again.manifest.files["arrays/predictions.npz"] != short.manifest.files["arrays/predictions.npz"]
    assert again.manifest.digest != short.manifest.digest
    assert again.manifest.evidence_digest == short.manifest.evidence_digest == verify(short.folder).evidence_digest


@pytest.mark.parametrize("change", [
    lambda m: m["plan"]["checks"].update(accuracy=0.1),
    lambda m: m["findings"][0].update(estimate=0.9),
    lambda m: m["contents"].update({"arrays/predictions.npz": "0" * 64}),
    lambda m: m["model"].update(sha256="0" * 64),
    lambda m: m["steps"][0].update(status="error"),
])  # fmt: skip
def test_the_evidence_digest_covers_plan_arrays_and_findings(short, change):
    manifest = read(short.folder).manifest.to_json()
    before = digest(manifest), evidence_digest(manifest)
    change(manifest)
    assert digest(manifest) != before[0]
    assert evidence_digest(manifest) != before[1]


def test_times_machine_and_folders_are_not_in_the_evidence_digest(short):
    manifest = read(short.folder).manifest.to_json()
    before = evidence_digest(manifest)
    manifest["steps"][0]["seconds"] = 99
    manifest["machine"]["cores"] = 99
    manifest["plan"]["model"]["weights"] = "/home/a/w.safetensors"
    there = evidence_digest(manifest)
    manifest["plan"]["model"]["weights"] = "/srv/b/w.safetensors"
    assert evidence_digest(manifest) == there
    manifest["plan"]["model"]["weights"] = ""
    assert evidence_digest(manifest) == before


def test_a_table_is_parsed_once_and_whoever_reads_it_changes_only_their_own(copy, monkeypatch):
    bundle, parsed, parse = read(copy), [], pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda *given, **said: parsed.append(1) or parse(*given, **said))
    first = bundle.table("findings")
    asked = first.copy()
    first.loc[0, "status"] = "changed"
    first["more"] = 0
    pd.testing.assert_frame_equal(bundle.table("findings"), asked)
    assert len(parsed) == 1
    bundle.write_table("findings", asked.head(1))
    assert len(bundle.table("findings")) == 1


def test_a_table_that_is_damaged_after_it_was_read_is_refused(copy):
    bundle = read(copy)
    bundle.table("findings")
    (copy / "tables" / "findings.csv").write_text("aspect\n")
    with pytest.raises(IntegrityError, match=r"findings\.csv .* its digest differs"):
        bundle.table("findings")
