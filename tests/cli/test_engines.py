"""Engines: a worker that is lost is run again, and the audit of its parts is that of one process."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from probe.audit import read, runner, verify
from probe.audit.part import Shard
from probe.cli import dealing, merging
from probe.cli.said import Said
from probe.engines import TIMES, Job, Outcome, engine_of, processes, run_jobs
from probe.errors import PlanError
from tests.cli.conftest import PLAN
from tests.crews import crew
from tests.processes import FORKED

RUN = "audit", "--plan", "mine.toml", "--allow-code"
DIES_ONCE = """
import os
import re
from pathlib import Path
from torch import nn

class Net(nn.Linear):
    def forward(self, x):
        mark = Path(__file__).with_name("died")
        if len(x) == 120 and not mark.exists():  # the step of predictions, which has all rows
            mark.touch()
            os.kill(os.getpid(), 9)
        return super().forward(x)

def build():
    return Net(5, 2)
"""


def job(code: str, name: str = "one") -> Job:
    return Job(name, "1/1", (sys.executable, "-S", "-c", code), Path())


def run(*jobs: Job) -> tuple[dict[Job, Outcome], list[str]]:
    heard = []
    failed = run_jobs(engine_of("processes"), jobs, 2, os.environ, lambda job, what: heard.append(what))
    return failed, heard


def test_the_part_of_a_lost_worker_is_run_again(tmp_path):
    mark = f"pathlib.Path({str(tmp_path / 'mark')!r})"
    once = f"import os, pathlib; {mark}.exists() or ({mark}.touch(), os.kill(os.getpid(), 9))"
    assert run(job(once)) == ({}, ["its worker was lost, and it is run again", "done"])


def test_a_part_whose_worker_is_always_lost_fails_and_the_others_are_run(tmp_path):
    lost, other = job("import os; os.kill(os.getpid(), 9)"), job(f"open({str(tmp_path / 'done')!r}, 'w')", "two")
    failed, _ = run(lost, other)
    assert failed == {lost: Outcome(137, f"its worker was lost {TIMES} times")}
    assert (tmp_path / "done").exists()


def test_an_error_is_reported_and_not_run_again(tmp_path):
    code = f"import sys; open({str(tmp_path / 'log')!r}, 'a').write('x'); sys.exit('probe: no such file')"
    failed, heard = run(asked := job(code))
    assert failed == {asked: Outcome(1, "no such file")}
    assert heard == ["no such file"]
    assert (tmp_path / "log").read_text() == "x"


def test_when_the_run_ends_its_workers_end(tmp_path):
    mark = tmp_path / "begun"

    def interrupt():
        while not mark.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(job(f"open({str(mark)!r}, 'w').close(); import time; time.sleep(100)"))
    assert time.monotonic() - began < 50


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_the_process_of_a_worker_that_is_killed_ends_with_it(tmp_path):
    mark = tmp_path / "pid"
    inner = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    outer = f"""
import os
import re
from probe.engines.processes import Processes
Processes().run([{sys.executable!r}, "-S", "-c", {inner!r}], os.environ)
"""
    worker = subprocess.Popen([sys.executable, "-c", outer])
    until(lambda: mark.exists() and mark.read_text())
    worker.kill()
    worker.wait()
    until(lambda: not _runs(int(mark.read_text())))


def _runs(process: int) -> bool:
    """Whether a process runs; one that has ended may still be in the table until its new parent asks."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def until(holds, seconds: float = 20.0) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)


@pytest.mark.parametrize("code", [2, 3, 4])  # that of a part is that of the command
def test_an_audit_is_replaced_only_once_its_parts_are_done(probe, audited, monkeypatch, code):
    ended = Outcome(code, "no such file")
    monkeypatch.setattr(dealing, "run_jobs", lambda engine, jobs, *_: dict.fromkeys(jobs, ended))
    said = probe(*RUN, "--engine", "processes", "--workers", "1", "--replace", code=code).stderr
    assert "part 1/1: no such file; the same command continues the parts in runs/mine.parts" in said
    assert (audited / "runs/mine/audit.json").exists()


def test_a_folder_that_is_no_audit_is_refused_before_any_part_is_run(probe, place, monkeypatch):
    (place / "runs/mine").mkdir(parents=True)
    (place / "runs/mine/mine.txt").write_text("mine")
    asked = []
    monkeypatch.setattr(dealing, "run_jobs", lambda engine, jobs, *_: asked.extend(jobs) or {})
    assert "is not an audit" in probe(*RUN, "--engine", "processes", "--replace", code=2).stderr
    assert not asked
    assert (place / "runs/mine/mine.txt").exists()


def test_parts_of_another_number_of_workers_are_left_out(tmp_path, monkeypatch):
    (tmp_path / "mine.parts" / "1-of-3").mkdir(parents=True)
    monkeypatch.setattr(dealing, "merged", lambda parts, out, show: {"parts": [part.name for part in parts]})
    done = dealing.finish("mine", tmp_path, 2, {}, clear=lambda: None, show=print)
    assert done["parts"] == ["1-of-2", "2-of-2"]


def test_a_worker_makes_no_pilot(tmp_path, monkeypatch):
    asked, data = [], SimpleNamespace(notices=())
    part = SimpleNamespace(folder=tmp_path, record=SimpleNamespace(complete=True))
    monkeypatch.setattr("probe.audit.estimate.estimate", lambda *_: asked.append("pilot") or 1.0)
    monkeypatch.setattr("probe.audit.runner.check", lambda *_: None)
    monkeypatch.setattr("probe.audit.sharding.shares", lambda *_: {})
    monkeypatch.setattr("probe.audit.run_shard", lambda *_, **__: part)
    given = SimpleNamespace(name="mine"), tmp_path, Shard(1, 2), lambda plan: (data, data)
    merging.run_part(*given)
    assert asked == ["pilot"]
    heard = {}
    monkeypatch.setattr(dealing, "run_jobs", lambda *said: heard.update(said[3]) or {})
    dealing.deal([("mine", ["mine.toml"])], tmp_path, "processes", 2)
    for name, value in heard.items():
        monkeypatch.setenv(name, value)
    merging.run_part(*given)
    assert asked == ["pilot"]


def test_an_unknown_engine_is_refused_and_so_are_options_that_say_nothing(probe, place):
    with pytest.raises(PlanError, match="there are processes, ray, slurm"):
        engine_of("steam")
    assert "leave one of them out" in probe(*RUN, "--engine", "processes", "--shard", "1/2", code=2).stderr
    assert "add --engine" in probe(*RUN, "--workers", "2", code=2).stderr


def test_what_a_command_says_of_a_model_reaches_its_workers():
    said = Said(task="regression", tolerance=0.0, segments=20)
    assert said.arguments() == ["--task", "regression", "--tolerance", "0.0", "--segments", "20"]
    assert Said().arguments() == []


@pytest.fixture
def crewed(place, monkeypatch):
    """Three plans, and where the workers are that `--engine ray` has here."""
    for name in "abc":
        (place / f"{name}.toml").write_text((place / "mine.toml").read_text())
    working, workers = crew(2)
    monkeypatch.setattr("probe.cli.crewed.crew_of", lambda *_, **__: working)
    return workers


SEVERAL = "audit", "a.toml", "b.toml", "c.toml", "--allow-code"


def test_workers_ask_the_next_audits_while_the_first_is_written(probe, crewed, monkeypatch):
    concluded, seen = runner.conclude, []

    def conclude(bundle, status):
        if not seen:  # of each audit all units, while none has ended
            until(lambda: len([each for each in crewed.answered if each and each[0] == "attack-fgsm"]) == 3)
        seen.append(bundle.folder.name)
        concluded(bundle, status)

    monkeypatch.setattr(runner, "conclude", conclude)
    probe(*SEVERAL, "--engine", "ray", code=1)
    assert seen == ["a", "b", "c"]
    probe("audit", "a.toml", "--allow-code", "--out", "again", code=1)
    assert all(read(f"runs/{name}").manifest.contents == read("again/a").manifest.contents for name in "abc")


@pytest.mark.slow
def test_of_several_audits_by_workers_one_that_cannot_be_run_leaves_the_others(probe, place, crewed):
    (place / "b.toml").write_text(PLAN.replace("people.csv", "nobody.csv"))
    result = probe(*SEVERAL, "--engine", "ray", code=2)
    assert re.search(r"\nb: .*nobody.csv", result.stderr)
    assert verify("runs/a").status == verify("runs/c").status == "complete"
    assert not (place / "runs/b").exists()


@pytest.mark.slow
def test_of_several_audits_by_workers_those_that_were_interrupted_are_continued(probe, place, crewed, monkeypatch):
    def end(bundle, status):
        if status == "complete":
            raise KeyboardInterrupt
        concluded(bundle, status)

    concluded = runner.conclude
    monkeypatch.setattr(runner, "conclude", end)
    probe(*SEVERAL, "--engine", "ray", code=130)
    assert {read(f"runs/{name}").manifest.status for name in "abc"} == {"interrupted"}
    monkeypatch.undo()
    monkeypatch.chdir(place)
    probe(*SEVERAL, code=1)
    assert {verify(f"runs/{name}").status for name in "abc"} == {"complete"}


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "module"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_of_several_machines_keeps_the_same_promises(engine, module, tmp_path, monkeypatch):
    pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    mark = f"pathlib.Path({str(tmp_path / 'mark')!r})"
    once = job(f"import os, pathlib; {mark}.exists() or ({mark}.touch(), os.kill(os.getpid(), 9))")
    fails = job("import sys; sys.exit('probe: no such file')", "two")
    heard = []
    failed = run_jobs(engine_of(engine), [once, fails], 2, os.environ, lambda each, what: heard.append(what))
    assert failed == {fails: Outcome(1, "no such file")}
    assert sorted(heard) == ["done", "its worker was lost, and it is run again", "no such file"]


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "module"), [("processes", "sys"), ("ray", "ray")])
def test_an_audit_of_two_workers_one_killed_during_a_step_is_that_of_one_process(
    probe, place, monkeypatch, engine, module
):
    pytest.importorskip(module)
    if engine == "processes":
        monkeypatch.setattr(processes, "subprocess", FORKED)
        monkeypatch.setattr(processes, "can_fork", lambda: False)
    (place / "mine.py").write_text(DIES_ONCE)
    result = probe(*RUN, "--engine", engine, "--workers", "2", code=1)
    lost = {"processes": "mine 1/2: its worker was lost, and it is run again", "ray": "what it had is asked again"}
    assert lost[engine] in result.stderr
    assert (place / "runs/mine/report.html").exists()
    assert not (place / "runs/mine.parts").exists()
    probe(*RUN, "--out", "again", code=1)
    assert verify("again/mine").evidence_digest == verify("runs/mine").evidence_digest
