"""What the command line says of evidence: that it holds, that it does not, or that it is not all there yet."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from probe import lock
from probe.audit import read
from probe.cli.commands import app
from probe.study import steps
from tests.audit.forging import without_step
from tests.cli.conftest import FACTORY, PLAN, rows
from tests.processes import signalled


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A folder with a plan and its finished audit, which compares no groups."""
    from safetensors.torch import save_file
    from torch import tensor

    place = tmp_path_factory.mktemp("audited")
    (place / "mine_too.py").write_text(FACTORY)
    (place / "people.csv").write_text(rows())
    plan = PLAN.replace("mine:build", "mine_too:build")
    plan = plan.replace('"kernel_shap", coalitions = 64', '"lime", samples = 40')
    (place / "mine.toml").write_text(plan.replace('groups = ["sex"]\n', ""))
    weight = tensor([[0.0, -4, 0, 0, 0], [0, 4, 0, 0, 0]])
    save_file({"weight": weight, "bias": tensor([2.0, -2.0])}, place / "weights.safetensors")
    sys.path.insert(0, str(place))
    call = ["audit", "--plan", str(place / "mine.toml"), "--allow-code", "--out", str(place / "runs")]
    assert CliRunner().invoke(app, call).exit_code in (0, 1)
    yield place
    sys.path.remove(str(place))


@pytest.fixture
def copy(audited, tmp_path):
    return shutil.copytree(audited / "runs" / "mine", tmp_path / "mine")


@pytest.mark.slow
def test_what_verifying_shows_and_what_it_does_not_is_said(probe, copy):
    said = probe("verify", str(copy), code=0).stdout
    manifest = read(copy).manifest
    assert manifest.digest in said
    assert manifest.evidence_digest in said
    assert "the numbers follow from the files, not who wrote the files" in said
    assert "--digest" in said
    assert "only a second run tells (--rerun): the answers, the inputs, the values of explanations, " in said
    assert "what is said of model and data. Times, costs, the machine" in said
    assert "deletion (in part)" in said
    assert "robust_accuracy" not in said  # it follows from the answers


def test_either_digest_is_compared_and_an_empty_one_is_refused(probe, copy):
    manifest = read(copy).manifest
    for given in (manifest.digest, manifest.evidence_digest.upper(), f" {manifest.digest} "):
        assert "Seal: is the one you were given." in probe("verify", str(copy), "--digest", given, code=0).stdout
    probe("verify", str(copy), "--digest", "0" * 64, code=4)
    for given in ("", manifest.digest[:12], "x" * 64):
        assert "not a digest" in probe("verify", str(copy), "--digest", given, code=2).stderr


def test_an_audit_whose_failing_step_was_cut_out_is_refused_by_verify_and_by_its_rerun(probe, copy):
    without_step(copy, "explain-integrated_gradients")
    assert "explain-integrated_gradients" in probe("verify", str(copy), code=4).stderr
    probe("verify", str(copy), "--rerun", "--allow-code", code=4)
    probe("report", str(copy), code=4)


def test_an_audit_that_is_not_complete_verifies_with_another_code(probe, copy):
    bundle = read(copy)
    files = {file: sha for file, sha in bundle.manifest.files.items() if file.startswith("arrays/")}
    bundle.change(status="running", findings=(), files=files, finished=None, report_sha256=None)
    (copy / "report.html").unlink()
    bundle.save()
    said = probe("verify", str(copy), code=1).stdout
    assert "It was killed after 5 of 5 steps: run the same audit again" in said
    with lock.writing(copy):
        assert "It is running: step 5 of 5" in probe("verify", str(copy), code=1).stdout
        assert json.loads(probe("verify", str(copy), "--json", code=1).stdout)["writer"] == os.getpid()


def test_an_audit_that_is_being_written_is_neither_continued_nor_replaced(probe, audited):
    call = ("audit", "--plan", str(audited / "mine.toml"), "--allow-code", "--out", str(audited / "runs"))
    with lock.writing(audited / "runs" / "mine"):
        assert f"process {os.getpid()} is writing" in probe(*call, "--replace", code=2).stderr
    assert read(audited / "runs" / "mine").complete


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_report_that_is_not_a_regular_file_is_not_read(probe, copy, kind):
    bundle = read(copy)
    bundle.change(report_sha256=None)
    bundle.save()
    (copy / "report.html").unlink()
    if kind == "pipe":
        os.mkfifo(copy / "report.html")
    else:
        (copy / "report.html").symlink_to("/dev/zero")
    probe("verify", str(copy), code=4)


def test_a_table_for_a_spreadsheet_runs_nothing(probe, copy):
    exported = probe("report", str(copy), "--format", "csv", code=0).stdout
    assert exported.startswith("aspect,check,status")
    assert not any(cell[:1] in ("=", "@", "+") for line in exported.splitlines() for cell in line.split(","))


@pytest.mark.parametrize("text", [
    f"seed = {'9' * 5_000}", f"x = {'[' * 5_000}{']' * 5_000}", '[attack]\neps = ["1e400"]', '[attack]\neps = ["1/0"]',
    '[attack]\neps = ["1e100000000"]', '[checks]\nrobust_eps = "1e400000000"', "seed = 1e400", "seed = nan",
    '[explain]\nmethods = [{method = "lime", samples = 1e300}]', "\x00",
])  # fmt: skip
def test_a_hostile_plan_is_refused_in_one_sentence(probe, tmp_path, text):
    (tmp_path / "p.toml").write_text(f'{text}\n[model]\nzoo = "adult-mlp"\n' if "[" not in text[:1] else text)
    said = probe("audit", "--plan", str(tmp_path / "p.toml"), code=2).stderr
    assert "defect" not in said


@pytest.mark.slow
def test_running_out_of_memory_is_not_reported_as_a_defect(probe, audited, tmp_path, monkeypatch):
    call = ("audit", "--plan", str(audited / "mine.toml"), "--allow-code", "--out", str(tmp_path))

    def short(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(steps, "_one", short)
    assert "not enough memory" in probe(*call, code=2).stderr
    monkeypatch.undo()
    assert probe(*call).exit_code in (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_from_outside_ends_an_audit_as_ctrl_c_does(audited, tmp_path, number, code):
    plan = tmp_path / "long.toml"
    text = (audited / "mine.toml").read_text().replace("sample = 2", "sample = 120")
    plan.write_text(text.replace("samples = 40", "samples = 3000"))
    for file in ("people.csv", "weights.safetensors"):
        shutil.copy(audited / file, tmp_path / file)
    command = ["audit", "--plan", plan, "--allow-code", "--out", tmp_path / "runs"]
    assert signalled(command, "explain-lime", number, said=tmp_path / "said") == code
    assert read(tmp_path / "runs" / "long").manifest.status == "interrupted"
    assert "interrupted" in (tmp_path / "runs" / "long" / "report.html").read_text()
    assert lock.writer(tmp_path / "runs" / "long") is None


@pytest.fixture
def dashboard(audited):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "probe.cli", "dashboard", str(audited / "runs"), "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        for _ in range(600):
            if _answers(port):
                break
            time.sleep(0.1)
        yield process, port
        process.kill()


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _handshake(port: int, host: str, origin: str = "") -> int:
    """The status with which the viewer answers who wants to talk with it under a name."""
    lines = [f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"]
    lines += [f"Origin: {origin}"] * bool(origin)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as talk:
        talk.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(talk.recv(100).split()[1])


@pytest.mark.slow
def test_the_viewer_talks_under_this_machines_names_only_and_ends_with_its_command(dashboard):
    process, port = dashboard
    for host in ("127.0.0.1", "localhost"):
        assert _handshake(port, f"{host}:{port}", f"http://{host}:{port}") == 101
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        assert _handshake(port, f"{host}:{port}", f"http://{host}:{port}") == 403
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    assert not _answers(port)
    assert Path(f"/proc/{process.pid}").exists() is False
