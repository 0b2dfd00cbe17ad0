"""A run that is killed, and taken up again, ends as if nothing had happened."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache

import pytest
import torch
from probe_models.networks import build
from probe_models.training import state
from probe_models.training.loop import fit
from probe_models.training.metrics import METRICS
from probe_models.training.settings import Settings
from probe_models.training.state import NAMES, States, locked
from safetensors.torch import load_file

from probe.errors import ExistsError, ProbeError
from tests.models.test_training_options import Line
from tests.processes import start

CPU = torch.device("cpu")
SETTINGS = Settings(
    epochs=3,
    batch_size=20,
    learning_rate=1e-2,
    ema=0.9,
    mixup=0.4,
    optimiser="adamw",
    schedule="plateau",
    augment={"shift": 1},
)
LONGER = replace(SETTINGS, epochs=20, patience=20)  # so long that five kills fit in, however fast or busy the machine
# What a process of its own runs: it trains, writes a state after each step, and saves the weights that came out.
CODE = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from probe_models.networks import build
from probe_models.training.loop import fit
from tests.models.test_survival import CPU, LONGER, rows, small
torch.set_num_threads(1)
folder = Path(sys.argv[1])
network = small()
fit(network, rows(), LONGER, device=CPU, folder=folder, save_every=0)
save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "end.safetensors")
"""


def small():
    return build("cnn", {"widths": [4, 8], "side": 8, "classes": 2, "dropout": 0.2})


def rows():
    from probe import Dataset

    source = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (200,), generator=source)
    inputs = 0.5 * torch.rand(200, 1, 8, 8, generator=source) + 0.5 * labels.view(-1, 1, 1, 1)
    return Dataset(inputs=inputs, labels=labels, classes=("dark", "bright"), name="rows")


def quiet(line):
    pass


def weights(network):
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def undisturbed(one_thread):
    network = small()
    fit(network, rows(), SETTINGS, device=CPU, progress=quiet)
    return weights(network)


def stopped_after(steps, monkeypatch, folder, settings=SETTINGS):
    """Train until the state of that step is written, then fail as a full disk would."""
    write, count = States.write, 0

    def limited(self, tensors, numbers):
        nonlocal count
        write(self, tensors, numbers)
        count += 1
        if count == steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(States, "write", limited)
    with pytest.raises(KeyboardInterrupt):
        fit(small(), rows(), settings, device=CPU, progress=quiet, folder=folder, save_every=0)
    monkeypatch.setattr(States, "write", write)


@pytest.mark.slow
def test_a_training_run_killed_five_times_ends_with_the_same_bits(one_thread, tmp_path):
    network = small()
    fit(network, rows(), LONGER, device=CPU, progress=quiet)
    draw, kills = random.Random(0), 0
    while kills < 5:
        process = start(CODE, tmp_path, said=tmp_path / "said")
        while process.is_alive() and not any((tmp_path / name).exists() for name in NAMES):
            time.sleep(0.01)
        # From here on it writes a state at every step, so most of these moments lie within one.
        seen = {path: path.stat().st_mtime_ns for path in tmp_path.glob("state-*")}
        while process.is_alive() and all(path.stat().st_mtime_ns == at for path, at in seen.items()):
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, (tmp_path / "said").read_text()
        kills += 1
    assert not (tmp_path / "end.safetensors").exists()
    process = start(CODE, tmp_path, said=tmp_path / "said")
    process.join()
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 0, said
    assert "continuing in epoch" in said
    assert same(load_file(tmp_path / "end.safetensors"), weights(network))
    assert len((tmp_path / METRICS).read_text().splitlines()) == LONGER.epochs


STEPS = (1, 5, 9, 10, 11, 17, 30)
RESUMED = [("adamw", steps) for steps in STEPS]
RESUMED += [("sgd", 1), ("sgd", 17), ("momentum", 5), ("momentum", 10), ("adagrad", 9), ("adagrad", 30)]


@cache
def uninterrupted(optimiser):
    network = small()
    fit(network, rows(), replace(SETTINGS, optimiser=optimiser), device=CPU, progress=quiet)
    return weights(network)


@pytest.mark.slow
@pytest.mark.parametrize(("optimiser", "steps"), RESUMED)
def test_a_training_run_resumed_after_any_step_ends_with_the_same_bits(
    steps, optimiser, one_thread, tmp_path, monkeypatch
):
    """Of the optimiser with the most state at each step, of the others within and at the end of an epoch."""
    settings = replace(SETTINGS, optimiser=optimiser)
    again = small()
    stopped_after(steps, monkeypatch, tmp_path, settings)
    lines = []
    trained = fit(again, rows(), settings, device=CPU, progress=lines.append, folder=tmp_path)
    assert lines[0].startswith("continuing in epoch")
    assert same(weights(again), uninterrupted(optimiser))
    assert [line["epoch"] for line in trained.lines] == [1, 2, 3]


def test_a_damaged_state_is_skipped_for_the_previous_one(undisturbed, tmp_path, monkeypatch):
    stopped_after(8, monkeypatch, tmp_path)
    newest = max((tmp_path / name for name in NAMES), key=lambda path: path.stat().st_mtime_ns)
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    lines, network = [], small()
    fit(network, rows(), SETTINGS, device=CPU, progress=lines.append, folder=tmp_path)
    assert lines[0] == "continuing in epoch 1, after 7 steps in total"
    assert same(weights(network), undisturbed)


def test_a_run_with_only_damaged_states_reports_that_it_starts_over(tmp_path):
    for name in NAMES:
        (tmp_path / name).write_bytes(b"no state")
    lines = []
    fit(small(), rows(), replace(SETTINGS, epochs=1), device=CPU, progress=lines.append, folder=tmp_path)
    assert lines[0] == f"the state in {tmp_path} is damaged; starting from the beginning"


def test_a_truncated_state_is_skipped(tmp_path):
    states = States(tmp_path, "run")
    for value in (1.0, 2.0, 3.0):
        states.write({"weight": torch.tensor([value])}, {"value": value})
    assert States(tmp_path, "run").read()[1] == {"value": 3.0}
    newest = tmp_path / NAMES[states.serial % 2]
    newest.write_bytes(newest.read_bytes()[:-2])
    tensors, numbers = States(tmp_path, "run").read()
    assert (tensors["weight"].tolist(), numbers) == ([2.0], {"value": 2.0})


def test_a_state_with_damaged_numbers_is_skipped(tmp_path):
    states = States(tmp_path, "run")
    for taken in (7, 8):
        states.write({"weight": torch.zeros(1)}, {"taken": taken})
    newest = tmp_path / NAMES[states.serial % 2]
    whole = newest.read_bytes()
    newest.write_bytes(whole.replace(b'taken\\": 8', b'taken\\": 9'))
    assert newest.read_bytes() != whole
    assert States(tmp_path, "run").read()[1] == {"taken": 7}


def test_a_state_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    states = States(tmp_path, "run")
    states.write({"weight": torch.zeros(1)}, {})
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ProbeError, match=r"cannot write the state of training to .*No space left"):
        states.write({"weight": torch.ones(1)}, {})
    assert States(tmp_path, "run").read()[0]["weight"].tolist() == [0.0]
    assert len(list(tmp_path.iterdir())) == 1


def test_the_state_of_another_run_is_left_as_it_is(tmp_path, monkeypatch):
    stopped_after(2, monkeypatch, tmp_path)
    for other in (replace(SETTINGS, learning_rate=2e-2), replace(SETTINGS, epochs=4)):
        with pytest.raises(ExistsError, match="holds the state of a run with other settings, data or seed"):
            fit(small(), rows(), other, device=CPU, progress=quiet, folder=tmp_path)
    with pytest.raises(ExistsError, match="other settings, data or seed"):
        fit(small(), rows(), SETTINGS, device=CPU, seed=1, progress=quiet, folder=tmp_path)
    assert all((tmp_path / name).exists() for name in NAMES)


@pytest.mark.parametrize(
    ("architecture", "kwargs", "other"),
    [
        ("cnn", {"widths": [4, 8], "side": 8, "classes": 2}, {"dropout": 0.5}),
        ("cnn", {"widths": [4, 8], "side": 8, "classes": 2}, {"activation": "tanh"}),
        ("vit", {"side": 8, "width": 8, "layers": 1, "heads": 2, "classes": 2}, {"heads": 4}),
    ],
)
def test_a_network_that_differs_only_in_what_has_no_weights_is_another_run(architecture, kwargs, other, tmp_path):
    fit(build(architecture, kwargs), rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path)
    with pytest.raises(ExistsError, match="holds the state of a run"):
        fit(build(architecture, kwargs | other), rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path)


@pytest.mark.slow
def test_two_runs_cannot_share_a_folder(tmp_path):
    code = "import sys, time; from pathlib import Path; from probe_models.training.state import locked\n"
    code += "with locked(Path(sys.argv[1])): print('mine', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(ExistsError, match="another process trains into"):
            fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path)
        other.kill()
        other.wait()
    # However a process ends, what it locked is free again.
    with locked(tmp_path):
        pass


def test_a_state_with_a_nan_loss_is_never_saved(tmp_path, monkeypatch):
    broken = replace(SETTINGS, optimiser="sgd", schedule="constant", learning_rate=1e30, clip=0.0, ema=0.0)
    with pytest.raises(ProbeError, match=r"the loss is (nan|inf) in epoch 1, step \d"):
        fit(small(), rows(), broken, device=CPU, progress=quiet, folder=tmp_path, save_every=0)
    written = [found for found in map(state._read, (tmp_path / name for name in NAMES)) if found]
    assert written
    for tensors, _ in written:
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())


class Bursts(Line):
    """A network whose slopes are infinite at one step, while its loss is a number."""

    def __init__(self, at):
        super().__init__()
        self.at, self.calls = at, 0

    def forward(self, inputs):
        self.calls += self.training
        logits = super().forward(inputs.flatten(1).mean(1, keepdim=True))
        if self.training and self.calls == self.at:
            logits.register_hook(lambda slopes: slopes * math.inf)
        return logits


def test_nan_weights_are_never_saved_and_the_state_before_is_resumed(tmp_path):
    settings = replace(SETTINGS, optimiser="sgd", ema=0.0, mixup=0.0, augment="none")
    with pytest.raises(ProbeError, match=r"no longer a number after step 13 in total; lower .* is kept in "):
        fit(Bursts(13), rows(), settings, device=CPU, progress=quiet, initialise=True, folder=tmp_path, save_every=0)
    lines, network, calm = [], Bursts(-1), Bursts(-1)
    fit(network, rows(), settings, device=CPU, progress=lines.append, initialise=True, folder=tmp_path)
    fit(calm, rows(), settings, device=CPU, progress=quiet, initialise=True)
    assert lines[0] == "continuing in epoch 2, after 12 steps in total"
    assert same(weights(network), weights(calm))


def test_leftovers_of_a_killed_writer_are_removed_with_the_state(tmp_path):
    States(tmp_path, "run").write({"weight": torch.zeros(1)}, {})
    (tmp_path / f".{NAMES[0]}.abc").write_text("half")
    States.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
