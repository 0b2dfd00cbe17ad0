"""A study by several workers: the table of one process, whoever is lost or interrupted on the way."""

import os
import subprocess
import sys
import threading
from contextlib import suppress

import pandas as pd
import pytest
import torch

from probe import Model, lock, study
from probe.attacks import FGSM, PGD
from probe.engines import Outcome, processes
from probe.engines.crew import AHEAD, Held
from probe.errors import DataError, PlanError, RangeError, Unsupported
from probe.metrics import Accuracy
from probe.study import dealing, running
from tests.crews import crew
from tests.processes import FORKED
from tests.study.test_run import evidence, people, run  # noqa: F401  a fixture

METHODS = [PGD(steps=3), Accuracy()]
HOW = {"eps": [0.1, 0.3], "batch_size": 20}
SCRIPT = """
import os, sys, time
import torch
from pathlib import Path
from probe import Dataset, Model, study
from probe.attacks import FGSM, PGD
from probe.metrics import Accuracy

CALLER, HERE, CALLED = os.getpid(), os.getcwd(), time.time()

class Net(torch.nn.Linear):
    def forward(self, x):
        mark, again = Path(HERE, "died"), Path(HERE, "again")
        works = "PROBE_STUDY" in os.environ or os.getpid() != CALLER
        if works and len(x) == 20 and not mark.exists():  # within a batch of a worker
            mark.touch()
            os.kill(os.getpid(), 9)
        if works and len(x) == 20:
            again.touch()
        waits = "processes" in sys.argv and len(x) == 20  # the caller, for both
        while waits and not again.exists() and time.time() < CALLED + 90:
            time.sleep(0.01)
        return super().forward(x)

torch.manual_seed(0)
net, rows = Net(5, 2).eval(), torch.rand(100, 5)
data, model = Dataset(rows, (rows[:, 0] > 0.5).long()), Model(forward=net)
engine = dict(engine=sys.argv[2], workers=2) if len(sys.argv) > 2 else {}
asked = dict(eps=[0.1, 0.2], batch_size=20, out=sys.argv[1])
found = study.run([PGD(steps=3), FGSM(), Accuracy()], model, data, **asked, **engine)
found.drop(columns="seconds").to_csv(sys.argv[1] + ".csv")
"""


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Makes this process a worker of the study in a folder."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda out: monkeypatch.setenv(dealing.OF, str(out.resolve()))


def begun(people, out) -> None:  # noqa: F811
    """A folder whose study has begun, and has no cell."""

    def stop(standing) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        run(METHODS, people, **HOW, out=out, progress=stop)


def test_a_worker_does_what_no_other_has_begun_and_the_caller_finds_it(people, tmp_path, worker, monkeypatch):  # noqa: F811
    out, calls = tmp_path / "out", []
    begun(people, out)
    worker(out)
    (cell,) = (name for name in _names(people) if name.startswith("pgd") and "0.1" in _names(people)[name])
    other = lock.writing(out / "claims" / cell / "20")
    other.__enter__()  # another worker is at one batch, and gives it back when this one waits
    whole = PGD.__call__

    def counted(self, model, inputs, *rest, **named):
        calls.append(len(inputs))
        return whole(self, model, inputs, *rest, **named)

    monkeypatch.setattr(PGD, "__call__", counted)
    monkeypatch.setattr(dealing.time, "sleep", lambda seconds: other.__exit__(None, None, None))
    with pytest.raises(SystemExit) as ended:
        run(METHODS, people, **HOW, out=out)
    assert ended.value.code == 0
    assert calls == [20] * 6
    monkeypatch.delenv(dealing.OF)
    found = run(METHODS, people, **HOW, out=out)
    assert calls == [20] * 6
    pd.testing.assert_frame_equal(evidence(found), evidence(run(METHODS, people, **HOW)))


def _names(people) -> dict[str, str]:  # noqa: F811
    from probe.study.asking import Subject
    from probe.study.cells import planned

    cells = planned(METHODS, Subject(*people, None, 20), HOW["eps"], None, None)
    return {cell.name: cell.identity for cell in cells}


def test_a_worker_leaves_a_cell_that_fails_to_the_caller(people, tmp_path, worker):  # noqa: F811
    model, data = people
    out = tmp_path / "out"

    def forward(x):
        if x.requires_grad:
            raise ValueError("no gradient today")
        return model.forward(x)

    failing = Model(forward=forward, space=model.space, classes=model.classes), data
    with suppress(KeyboardInterrupt):
        run([FGSM(), Accuracy()], failing, batch_size=20, out=out, progress=_interrupt)
    worker(out)
    with pytest.raises(SystemExit):
        run([FGSM(), Accuracy()], failing, batch_size=20, out=out)
    assert list(study.read(out)["method"]) == ["accuracy"]


def _interrupt(standing) -> None:
    raise KeyboardInterrupt


def test_a_worker_runs_no_other_study_of_its_script(people, tmp_path, worker):  # noqa: F811
    whole = run([Accuracy()], people, out=tmp_path / "first")
    worker(tmp_path / "second")
    found = run([Accuracy(), FGSM()], people, out=tmp_path / "first")
    pd.testing.assert_frame_equal(found, whole)


def test_what_ends_the_workers_ends_the_study_and_leaves_no_claims(people, tmp_path, monkeypatch):  # noqa: F811
    out = tmp_path / "out"

    def ended(folder, *rest):
        with lock.writing(folder / "claims" / "pgd" / "0"):
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "deal", ended)
    with pytest.raises(KeyboardInterrupt):
        run(METHODS, people, **HOW, out=out, engine="processes")
    assert not (out / "claims").exists()
    monkeypatch.setattr(running, "deal", lambda *given: "worker 1/2: no such file")
    with pytest.raises(DataError, match="worker 1/2: no such file; the same call continues the study"):
        run(METHODS, people, **HOW, out=out, engine="processes")


class Slow:
    """An engine whose workers have not begun when the caller is done."""

    def __init__(self) -> None:
        self.asked, self.ended = [], threading.Event()

    def run(self, command, environment):
        self.asked.append((command, environment))
        assert self.ended.wait(20)
        return Outcome(128, "stopped with the others")

    def end(self) -> None:
        self.ended.set()


@pytest.mark.parametrize("workers", [1, 3])
def test_with_local_processes_the_caller_is_a_worker_and_waits_for_none_that_begins(
    people,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
    workers,
):
    place, counts, before = Slow(), [], torch.get_num_threads()
    monkeypatch.setattr(dealing, "engine_of", lambda name: place)
    monkeypatch.setattr(dealing, "can_copy", lambda: False)
    monkeypatch.setattr(dealing, "this_script", lambda: ("python", "mine.py"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    whole = PGD.__call__
    monkeypatch.setattr(PGD, "__call__", lambda *a, **k: counts.append(torch.get_num_threads()) or whole(*a, **k))
    torch.set_num_threads(2)
    try:
        found = run(METHODS, people, **HOW, out=tmp_path / "out", engine="processes", workers=workers)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(counts) == {1}
    assert len(place.asked) == workers - 1
    assert all(environment["OMP_NUM_THREADS"] == "1" for _, environment in place.asked)
    assert place.ended.is_set()
    assert not capsys.readouterr().err
    assert not (tmp_path / "out/claims").exists()
    pd.testing.assert_frame_equal(evidence(found), evidence(run(METHODS, people, **HOW)))


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"workers": 2}, DataError, "without an engine"),
        ({"engine": "processes"}, DataError, "needs out="),
        ({"engine": "steam", "out": "mine"}, PlanError, "there are processes, ray, slurm"),
        ({"engine": "processes", "out": "mine", "workers": 0}, RangeError, "workers = 0, expected a whole number"),
        ({"engine": "processes", "out": "mine", "workers": True}, RangeError, "workers = True"),
    ],
)
def test_an_engine_that_cannot_run_is_refused(people, tmp_path, monkeypatch, how, error, said):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        run(METHODS, people, **HOW, **how)


@pytest.mark.parametrize("command", [["python"], ["python", "-"]])
def test_a_notebook_or_a_prompt_is_no_script(monkeypatch, command):
    monkeypatch.setattr(sys, "orig_argv", command)
    with pytest.raises(Unsupported, match="write the cells to a file"):
        dealing.this_script()
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "mine", "3"])
    assert dealing.this_script() == (sys.executable, "-m", "mine", "3")


@pytest.mark.parametrize("begun", [False, True])
def test_a_study_by_messages_is_that_of_one_process(people, tmp_path, monkeypatch, begun):  # noqa: F811
    out, said = tmp_path / "out", []
    if begun:  # a batch is there, and another is damaged
        own = {"batch_size": 20, "out": out, "progress": lambda standing: standing.done == 40 and _interrupt(standing)}
        with suppress(KeyboardInterrupt):
            run(METHODS, people, eps=HOW["eps"], **own)
        next(out.glob("cells/*.parts/0-20.npz")).write_bytes(b"")
    working, place = crew(2, [None, (0, slice(40, 60), None), (2, None, ({}, 0.0))], said.append)
    monkeypatch.setattr(running, "crew_of", lambda engine, workers, report, gpu: working)
    standings = []
    found = run(METHODS, people, **HOW, out=out, engine="ray", progress=standings.append)
    pd.testing.assert_frame_equal(evidence(found), evidence(run(METHODS, people, **HOW)))
    assert len(said) == 3
    batches = [(at, rows.start) for at, rows, _ in filter(None, place.answered) if rows is not None]
    assert len(set(batches)) == len(batches) == (5 if begun else 6)
    assert sorted(at for at, rows, _ in filter(None, place.answered) if rows is None) == [0, 1, 2]
    assert len(place.stopped) == 2
    assert standings
    assert not list(out.glob("cells/*.parts"))


def test_a_cell_that_fails_in_a_worker_is_left_to_the_caller(people, tmp_path, monkeypatch):  # noqa: F811
    model, data = people

    def forward(x):
        if x.requires_grad:
            if not failed:
                place.answers.clear()  # until the caller has heard of it
            failed.append(len(x))
            raise ValueError("no gradient today")
        return model.forward(x)

    def forget(held, keys):
        forgets(held, keys)
        place.answers.set()

    failing = Model(forward=forward, space=model.space, classes=model.classes), data
    working, place = crew(1)
    failed, forgets = [], Held.forget
    monkeypatch.setattr(Held, "forget", forget)
    monkeypatch.setattr(running, "crew_of", lambda engine, workers, report, gpu: working)
    found = run([FGSM(), Accuracy()], failing, batch_size=10, out=tmp_path / "out", engine="ray")
    assert list(found["status"]) == ["error", "done"]
    assert "no gradient today" in found["note"][0]
    asked = sum(message is not None and message[0] == 0 for message in place.answered)
    assert asked == 1 + AHEAD  # of six, no more once it has failed than the worker had


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "module"), [("processes", "sys"), ("ray", "ray"), ("slurm", "submitit")])
def test_a_study_of_two_workers_one_killed_within_a_batch_is_that_of_one_process(
    engine, module, tmp_path, monkeypatch, capsys
):
    pytest.importorskip(module)
    (tmp_path / "sweep.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    if engine == "processes":
        monkeypatch.setattr(processes, "subprocess", FORKED)
        monkeypatch.setattr(processes, "can_fork", lambda: False)
        monkeypatch.setattr(dealing, "can_copy", lambda: False)
        monkeypatch.setattr(sys, "orig_argv", [sys.executable, "sweep.py", "two", engine])
        monkeypatch.setattr(sys, "argv", ["sweep.py", "two", engine])
        exec(SCRIPT, {})
        said = capsys.readouterr().err
    else:
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "sweep.py", "two", engine], capture_output=True, text=True, env=env)
        assert not done.returncode, done.stderr
        said = done.stderr
    monkeypatch.setattr(sys, "argv", ["sweep.py", "one"])
    exec(SCRIPT, {})
    assert "worker was lost, and " in said
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["cells", "study.json", "study.npz"]
