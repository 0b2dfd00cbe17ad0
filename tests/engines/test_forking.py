"""Workers that are forked from a process that has loaded torch: they run and end as those that are started."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from probe.engines import Outcome, forking, from_here
from probe.engines.forking import Forks, can_fork, runs_python, wanted
from probe.engines.processes import Processes, ending

pytestmark = pytest.mark.skipif(not can_fork(), reason="workers are forked on Linux, where no accelerator is")
SAYS = """
import os, sys
from pathlib import Path
import beside
said = [__name__, sys.argv[1:], Path(__file__).name, Path.cwd().name, sys.path[0], os.environ.get("MINE"), os.getpid()]
Path(sys.argv[1]).write_text(repr([*said, "colorsys" in sys.modules]))
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def forks(tmp_path, monkeypatch):
    """What forks, with nothing large loaded, and a folder with scripts."""
    monkeypatch.setattr(forking, "wanted", lambda: ("colorsys", "none.such"))
    monkeypatch.chdir(tmp_path)
    Path("beside.py").touch()
    Path("says.py").write_text(SAYS)
    made = Forks(ending())
    yield made
    made.close()


def script(code: str, name: str = "mine.py") -> tuple[str, ...]:
    Path(name).write_text(code)
    return from_here((sys.executable, name))


def test_a_script_that_is_forked_finds_what_it_finds_when_it_is_started(forks, tmp_path):
    environment = os.environ | {"MINE": "here"}
    found = []
    for engine in (Processes(), Processes(forks), Processes(forks)):
        outcome = engine.run(from_here((sys.executable, "says.py", "said", "3")), environment)
        assert outcome == Outcome(3)
        found.append(eval(Path("said").read_text()))
    assert [each[:-2] for each in found] == [found[0][:-2]] * 3
    assert found[0][:6] == ["__main__", ["said", "3"], "says.py", tmp_path.name, str(tmp_path), "here"]
    assert [each[-1] for each in found] == [False, True, True]  # what was loaded before the fork
    assert len({each[-2] for each in found}) == 3


def test_a_module_that_is_forked_is_run_in_its_folder(forks, tmp_path):
    Path("there").mkdir()
    Path("there/module.py").write_text(
        "import sys, os; sys.exit(f'probe: {sys.argv[1:]} {os.path.basename(os.getcwd())}')"
    )
    asked = forks.run((sys.executable, "-m", "module", "x"), str(tmp_path / "there"), os.environ)
    assert asked.communicate()[1].strip() == "probe: ['x'] there"
    assert asked.returncode == 1


def test_a_forked_worker_that_is_lost_is_said_to_be_and_others_are_run(forks):
    engine = Processes(forks)
    lost = engine.run(script("import os; os.kill(os.getpid(), 9)"), os.environ)
    assert lost == Outcome(None)
    assert engine.run(script("1 / 0"), os.environ) == Outcome(1, "ZeroDivisionError: division by zero")


def test_where_what_forks_is_lost_a_worker_is_started(forks):
    engine = Processes(forks)
    assert engine.run(script("import os; os.kill(os.getppid(), 9); os.kill(os.getpid(), 9)"), os.environ).code is None
    for _ in range(2):
        assert engine.run(from_here((sys.executable, "says.py", "said", "0")), os.environ) == Outcome(0)
    assert eval(Path("said").read_text())[-1]  # forked again


def test_a_forked_worker_ends_in_its_own_way_when_it_is_told_to(forks):
    code = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: sys.exit("probe: saved"))
Path("begun").touch()
time.sleep(100)
"""
    asked = forks.run(*_apart(script(code)), os.environ)
    until(Path("begun").exists)
    asked.terminate()
    forks.close()  # which waits for it
    assert asked.communicate()[1].strip() == "probe: saved"
    assert asked.returncode == 1


def test_forked_workers_end_with_the_process_that_asked(tmp_path):
    mark, inner = tmp_path / "pid", tmp_path / "inner.py"
    inner.write_text(f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(100)")
    outer = f"""
import os, sys
from probe.engines import forking
from probe.engines.processes import Processes, ending
forking.LOADED = ()
Processes(forking.Forks(ending())).run([sys.executable, {str(inner)!r}], os.environ)
"""
    asks = subprocess.Popen([sys.executable, "-c", outer])
    until(lambda: mark.exists() and mark.read_text())
    asks.kill()
    asks.wait()
    until(lambda: not _runs(int(mark.read_text())))


def test_what_forks_is_not_waited_for_while_it_loads(tmp_path, monkeypatch):
    Path(tmp_path / "slow.py").write_text("import time; time.sleep(100)")
    monkeypatch.setattr(forking, "wanted", lambda: ("slow",))
    forks = Forks(ending())
    asked = forks.run((sys.executable, "mine.py"), "/", os.environ | {"PYTHONPATH": str(tmp_path)})
    began = time.monotonic()
    forks.close()
    assert asked.communicate() == (None, "")
    assert asked.returncode == -9
    assert time.monotonic() - began < 50


def test_what_forks_loads_for_a_script_what_the_script_has_loaded(monkeypatch):
    monkeypatch.setattr(forking, "LOADED", ("json", "none.such"))
    monkeypatch.delitem(sys.modules, "probe.cli", raising=False)
    assert wanted() == ("json",)
    monkeypatch.setitem(sys.modules, "probe.cli", forking)
    assert wanted() == ("json", "none.such")


def test_only_scripts_and_modules_of_this_python_are_forked():
    python = sys.executable
    assert runs_python([python, "mine.py"])
    assert runs_python([python, "-m", "probe.cli", "audit"])
    assert not any(map(runs_python, ([python], [python, "-c", "1"], [python, "-O", "mine.py"], ["/bin/ls", "mine.py"])))


def test_workers_are_not_forked_where_an_accelerator_is(tmp_path, monkeypatch):
    monkeypatch.setattr(forking, "ACCELERATORS", (str(tmp_path),))
    assert not can_fork()


@pytest.mark.slow
def test_threads_of_torch_work_after_a_fork(tmp_path, monkeypatch):
    monkeypatch.setattr(forking, "wanted", lambda: ("torch",))
    monkeypatch.chdir(tmp_path)
    code = """
import sys, torch
layer = torch.nn.Conv2d(3, 8, 3)
torch.set_num_threads(4)
inputs = torch.rand(64, 3, 32, 32, requires_grad=True)
layer(inputs).sum().backward()
sys.exit(f"probe: {torch.get_num_threads()} {(inputs @ inputs).isfinite().all()}")
"""
    engine = Processes(Forks(ending()))
    said = {engine.run(script(code), os.environ | {"OMP_NUM_THREADS": "4"}).said for _ in range(2)}
    engine.end()
    assert said == {"4 True"}


def _apart(command):
    return command[4:], command[3]


def _runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def until(holds, seconds: float = 20.0) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)
