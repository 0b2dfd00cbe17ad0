"""Workers that are copies of the caller: they do its work, and end with it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from probe.engines import copies
from probe.engines.copies import can_copy, copied
from probe.engines.forking import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="workers are forked on Linux, where no accelerator is")
SCRIPT = """
import os, sys
from pathlib import Path
from threading import Thread, Event
import torch
from probe import Dataset, Model, study
from probe.attacks import PGD
from probe.engines.copies import can_copy
from tests.engines.test_copies import until

CALLER, out = os.getpid(), sys.argv[1]
with open("begun", "a") as file:
    file.write("once ")

class Net(torch.nn.Linear):
    def forward(self, x):
        if len(x) == 20 and "processes" in sys.argv:
            if os.getpid() == CALLER:
                until(Path("killed").exists)  # the caller waits, within a batch, until the copy has died within one
            else:
                print("a copy prints nothing", flush=True)
                Path("killed").write_text(str(os.getpid()))
                os.kill(os.getpid(), 9)
        return super().forward(x)

torch.manual_seed(0)
net, rows = Net(5, 2).eval(), torch.rand(100, 5)
data, model = Dataset(rows, (rows[:, 0] > 0.5).long()), Model(forward=net)
engine = dict(engine=sys.argv[2], workers=2) if len(sys.argv) > 2 else {}
assert can_copy()
found = study.run([PGD(steps=3)], model, data, eps=[0.1, 0.2], batch_size=20, out=out, **engine)
found.drop(columns="seconds").to_csv(out + ".csv")
"""


def until(true) -> None:
    """Wait until something is true."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_copies_work_until_the_block_ends_and_write_nothing_of_the_callers(tmp_path, capfd):
    mine, said = [], []

    def work() -> None:
        sys.stdout.write("unseen")
        sys.stdout.flush()
        mine.append(1)  # in the copy
        (tmp_path / str(os.getpid())).touch()
        time.sleep(100)

    sys.stdout.write("seen")
    with copied(2, work, lambda *told: said.append(told)):
        until(lambda: len(list(tmp_path.iterdir())) == 2)
    sys.stdout.flush()
    assert (mine, said) == ([], [])
    assert capfd.readouterr().out == "seen"
    for path in tmp_path.iterdir():  # they have ended, and nothing of them is left
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was lost (exit code -9)"),
        (lambda: 1 / 0, "ended with an error"),
        (lambda: None, None),
    ],
)
def test_a_copy_that_ends_early_is_reported_unless_it_was_done(end, how, tmp_path):
    said, pids = [], []
    copy = copies._copy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "_copy", lambda work: pids.append(copy(work)) or pids[-1])
        with copied(1, end, lambda *told: said.append(told)):
            os.waitid(os.P_PID, pids[0], os.WEXITED | os.WNOWAIT)
    assert said == ([(0, f"its worker {how}, and the others did its part")] if how else [])


def test_an_error_of_the_caller_ends_its_copies():
    pids = []
    copy = copies._copy

    def interrupted() -> None:
        with copied(1, lambda: time.sleep(100), print):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "_copy", lambda work: pids.append(copy(work)) or pids[-1])
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_process_with_another_thread_is_not_copied(monkeypatch, tmp_path):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not can_copy()
    finally:
        stop.set()
        thread.join()
    monkeypatch.setattr(copies, "can_fork", lambda: False)
    assert not can_copy()


@pytest.mark.slow
def test_a_study_of_a_caller_and_its_copy_that_is_killed_is_that_of_one_process(tmp_path):
    (tmp_path / "sweep.py").write_text(SCRIPT)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path]), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "sweep.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    one, two = run("one"), run("two", "processes")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    assert "worker 2/2: its worker was lost (exit code -9), and the others did its part" in two.stderr
    assert two.stdout == ""
    assert (tmp_path / "begun").read_text() == "once once "  # the copy did not run the script
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["cells", "study.json", "study.npz"]
