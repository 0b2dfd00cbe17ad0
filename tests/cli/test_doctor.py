"""`probe doctor` says what a machine has and lacks, each lack with a remedy."""

import gzip
import json
import subprocess
import sys

import pytest
from probe_models import inventory
from probe_models.datasets import compas, elsewhere, fashion
from typer.testing import CliRunner

from probe import zoo
from probe.cli import checkup
from probe.cli.commands import app

QUICK = checkup.Check("devices", "here", "cpu")


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(checkup, "torch", lambda: QUICK)
    return lambda *options: CliRunner().invoke(app, ["doctor", *options])


def test_this_machine_has_what_probe_needs_and_each_lack_has_a_remedy(run):
    done = run("--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["broken"]) == (0, [])
    parts = {check["part"] for check in told["checks"]}
    assert {"Python", "torch", "devices", "threads", "extra hub", "data", "zoo", "COMPAS", "cache", "chromium"} <= parts
    assert all(bool(check["remedy"]) == (check["status"] != "here") for check in told["checks"])


def test_something_optional_that_is_lacking_changes_the_exit_code_only_when_that_is_asked_for(run, monkeypatch):
    monkeypatch.setattr(checkup, "find_spec", lambda name: None if name == "onnx" else object())
    done = run()
    assert done.exit_code == 0
    assert "\N{WHITE CIRCLE} extra export: networks as ONNX files: no onnx, onnxscript" in done.output
    assert '-m pip install "onnx>=1.17" "onnxscript>=0.5"' in done.output
    assert run("--strict").exit_code == 1


def test_a_package_that_is_missing_or_too_old_is_broken(run, monkeypatch):
    monkeypatch.setattr(checkup, "_version", lambda name: {"numpy": "1.26.4", "scipy": None}.get(name, "999"))
    done = run()
    assert done.exit_code == 1
    assert "✕ numpy: 1.26.4, older than 2" in done.output
    assert "✕ scipy: not installed" in done.output
    assert '-m pip install "scipy>=1.15"' in done.output


@pytest.mark.parametrize(("found", "status"), [((3, 10, 9), "broken"), ((3, 11, 0), "here"), ((3, 14, 0), "broken")])
def test_a_python_that_is_not_supported_is_broken(found, status):
    assert checkup.python(found).status == status


def test_a_torch_that_ends_its_process_is_a_sentence(monkeypatch):
    monkeypatch.setattr(checkup, "ASKED", "import os; os.abort()")
    found = checkup.torch()
    assert found.status == "broken"
    assert "ended with code -6" in found.found
    monkeypatch.setattr(checkup, "ASKED", "raise ImportError('libtorch_cpu.so: wrong machine')")
    assert checkup.torch().found == "torch cannot be imported: ImportError: libtorch_cpu.so: wrong machine"


def test_the_examination_imports_no_torch():
    code = "import sys; from probe.cli.checkup import files, extra, folder; list(files()); extra('hub'); folder(); "
    done = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"], capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr


def test_a_changed_file_of_data_is_named(run, monkeypatch, tmp_path):
    for file in inventory.data():
        (tmp_path / file.name).write_bytes(file.path.read_bytes())
    (tmp_path / "README.md").write_bytes((inventory.BUNDLED / "README.md").read_bytes())
    (tmp_path / "adult.csv.gz").write_bytes(gzip.compress(b"age\n"))
    (tmp_path / "german_credit.csv.gz").unlink()
    (tmp_path / "compas.csv.gz").unlink()  # as in a wheel
    monkeypatch.setattr(inventory, "BUNDLED", tmp_path)
    done = run()
    assert done.exit_code == 1
    assert "changed: adult.csv.gz; missing: german_credit.csv.gz\n" in done.output


def test_weights_that_were_changed_are_named(monkeypatch, tmp_path):
    for name in ("compas-mlp", "german-mlp"):
        (tmp_path / name).mkdir()
        for file in ("card.json", "model.safetensors"):
            (tmp_path / name / file).write_bytes((inventory.FOLDER / name / file).read_bytes())
    assert {file.state for file in inventory.weights()} == {"unchanged"}
    assert len(inventory.weights()) == len([name for name in zoo.names() if (inventory.FOLDER / name).is_dir()])
    monkeypatch.setattr(inventory, "FOLDER", tmp_path)
    content = bytearray((tmp_path / "german-mlp/model.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "german-mlp/model.safetensors").write_bytes(content)
    assert [(file.name, file.state) for file in inventory.weights()] == [
        ("compas-mlp", "unchanged"),
        ("german-mlp", "changed"),
    ]


def test_the_digests_and_places_are_those_that_the_readers_use():
    assert inventory.recorded()[compas.FILE] == compas.SHA256
    assert inventory.recorded().items() >= {n: d for n, d in fashion.SHA256.items() if n.startswith("t10k")}.items()
    assert (inventory.COMPAS, inventory.DEBIAN) == ((compas.FILE, compas.PUBLISHED), fashion.DEBIAN)
    assert set(inventory.TRAINING) <= set(fashion.SHA256)


def test_a_cache_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROBE_DATA", str(tmp_path / "file" / "folder"))
    assert elsewhere.kept_in().parent.name == "file"
    found = checkup.folder()
    assert (found.status, found.remedy) == ("lacking", "set PROBE_DATA to a folder of yours")
