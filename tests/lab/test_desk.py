"""Several people ask one desk: each sees their own, and what one ends or breaks, the others do not feel."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from probe.audit import read
from probe.lab import Desk, LabError, Setup, Source, offered

ROW = {"row": {"row": 3}}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    held = Desk(
        [Source.named("german-mlp"), Source("none", "none", zoo="no-such-network")],
        Setup(runs=str(tmp_path_factory.mktemp("runs"))),
    )
    yield held
    held.close()


def is_running(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.slow
def test_the_desk_shows_each_owner_only_their_own_jobs(desk):
    """All that takes a process of its own, in one test: each takes seconds to start."""
    from probe import zoo

    asked = desk.ask("ann", "german-mlp", {"ask": "answer", **ROW})
    assert asked.state in ("waiting", "opening")
    done = desk.wait("ann", asked.id)
    assert done.state == "done", done.error
    model, data = zoo.load("german-mlp"), zoo.data("german-mlp")
    assert (done.answer.arrays["logits"] == model.logits(data.inputs[3:4]).numpy()).all()

    with pytest.raises(LabError, match="no request"):
        desk.job("bob", asked.id)
    with pytest.raises(LabError, match="no request"):
        desk.cancel("bob", asked.id)
    assert desk.jobs("bob") == []

    kept = desk.ask("bob", "german-mlp", {"ask": "answer", **ROW})
    assert kept.state == "done", "it is not computed again"
    assert kept.answer is done.answer
    assert kept.id != asked.id

    wrong = desk.wait("bob", desk.ask("bob", "german-mlp", {"ask": "explain", **ROW, "method": "limee"}).id)
    assert (wrong.state, "did you mean 'lime'" in wrong.error) == ("refused", True)
    pid = desk.pid("german-mlp")
    assert is_running(pid), "a refusal ends nothing"

    # Somebody's long work is ended with its process; what another person waits for is answered by the next one.
    long = desk.ask("ann", "german-mlp", {"ask": "quality", **ROW, "method": "kernel_shap", "sample": 1000})
    until = time.monotonic() + 60
    while not desk.job("ann", long.id).progress.done and time.monotonic() < until:
        time.sleep(0.01)
    waiting = desk.ask("bob", "german-mlp", {"ask": "answer", "row": {"row": 5}})
    same = desk.ask("bob", "german-mlp", {"ask": "answer", "row": {"row": 5}})
    assert desk.job("bob", waiting.id).ahead == 1
    assert desk.cancel("ann", long.id).state == "cancelled"
    assert desk.wait("bob", waiting.id).state == "done"
    assert desk.wait("bob", same.id).answer is desk.job("bob", waiting.id).answer
    assert not is_running(pid)

    # A process that is killed fails what it worked on, in a sentence, and the next request starts another.
    long = desk.ask("ann", "german-mlp", {"ask": "quality", **ROW, "method": "lime", "sample": 1000})
    while not desk.job("ann", long.id).progress.done:
        time.sleep(0.01)
    os.kill(desk.pid("german-mlp"), signal.SIGKILL)
    failed = desk.wait("ann", long.id)
    assert failed.state == "failed"
    assert "ended by SIGKILL" in failed.error
    assert desk.wait("ann", desk.ask("ann", "german-mlp", {"ask": "answer", "row": {"row": 6}}).id).state == "done"

    # An audit that is cancelled keeps what is done, and the process is gone.
    pid = desk.pid("german-mlp")
    audit = desk.ask("ann", "german-mlp", {"ask": "audit", "text": "[explain]\nsample = 200", "name": "mine"})
    while desk.job("ann", audit.id).progress.said in ("", "predictions"):
        time.sleep(0.01)
    assert desk.cancel("ann", audit.id).state == "cancelled"
    until = time.monotonic() + 60
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(pid)
    bundle = read(Path(desk.setup.runs) / "mine")
    assert bundle.manifest.status == "interrupted"
    assert "predictions" in {step.name for step in bundle.manifest.steps}


@pytest.mark.slow
def test_a_model_that_cannot_be_opened_refuses_all_waiting_requests(desk):
    jobs = [desk.ask(who, "none", {"ask": "answer", "row": {"row": at}}) for at, who in enumerate(("ann", "bob"))]
    ended = [desk.wait(who, job.id) for who, job in zip(("ann", "bob"), jobs, strict=True)]
    assert [job.state for job in ended] == ["refused", "refused"]
    assert all("no-such-network" in job.error for job in ended)


def test_desk_refuses_what_is_not_offered(desk):
    with pytest.raises(LabError, match="did you mean 'german-mlp'"):
        desk.ask("ann", "german-mpl", {"ask": "answer"})
    with pytest.raises(LabError, match="plain data"):
        desk.ask("ann", "german-mlp", {"ask": object()})
    with pytest.raises(LabError, match="plain data"):
        desk.ask("ann", "german-mlp", {"ask": "answer", "row": {"row": float("nan")}})


def test_desk_imports_neither_torch_nor_streamlit():
    code = (
        "import sys; from probe.lab import Desk, Source; Desk([Source.named('adult-mlp')]).close(); "
        "print(sorted({'torch', 'captum', 'streamlit', 'probe_models'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_worker_ends_with_its_parent():
    code = (
        "import sys, time; from probe.lab.process import Setup, Worker; from probe.lab.sources import Source\n"
        "worker = Worker(Source.named('german-mlp'), Setup())\n"
        "print(worker.pid, worker._folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        number, folder = parent.stdout.readline().split()
        pid = int(number)
        assert is_running(pid)
        parent.kill()
    until = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(pid)
    assert not Path(folder).exists()


def test_a_process_without_the_secret_is_not_accepted_as_worker(monkeypatch, tmp_path):
    from probe.errors import ProbeError
    from probe.lab import process

    fake = tmp_path / "fake.py"
    fake.write_text(
        "import json, socket, sys\nknown = json.loads(sys.stdin.readline())\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(known['address']); s.recv(32); s.sendall(b'x' * 64); s.recv(64)\n"
    )
    popen, made = subprocess.Popen, tempfile.mkdtemp(prefix="probe-lab-")
    monkeypatch.setattr(process.subprocess, "Popen", lambda command, **how: popen([sys.executable, str(fake)], **how))
    monkeypatch.setattr(process.tempfile, "mkdtemp", lambda prefix: made)
    with pytest.raises(ProbeError, match="secret"):
        process.Worker(Source.named("german-mlp"), Setup())
    assert not Path(made).exists()


def test_the_socket_is_in_a_folder_of_this_user_alone():
    from probe.lab import process

    folder = Path(tempfile.mkdtemp(prefix="probe-lab-"))
    with process._listening(folder) as listener:
        assert folder.stat().st_mode & 0o077 == 0
        assert listener.getsockname() == str(folder / "socket")
    shutil.rmtree(folder)


def test_offered_models_are_those_that_were_named_then_plans_then_the_zoo(tmp_path):
    (tmp_path / "plan.toml").write_text('[model]\nzoo = "adult-mlp"\n')
    (tmp_path / "code.toml").write_text('[model]\nfactory = "mine:build"\n')
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    found = offered(tmp_path, ["compas-mlp"], ["adult-mlp", "compas-mlp"])
    assert [source.name for source in found] == ["compas-mlp", "code", "plan", "adult-mlp"]
    why = {source.name: source.why for source in found}
    assert "--allow-code" in why["code"]
    assert not why["plan"]
    assert not offered(tmp_path, allow_code=True)[0].why
    assert all("/" not in source.key for source in found), "a key shows no path"


def test_a_plan_that_runs_code_is_refused_by_the_desk(tmp_path):
    (tmp_path / "code.toml").write_text('[model]\nfactory = "mine:build"\n')
    held = Desk(offered(tmp_path))
    with pytest.raises(LabError, match="--allow-code"):
        held.ask("ann", next(iter(held.sources)), {"ask": "describe"})
    held.close()
