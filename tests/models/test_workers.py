"""Several processes train as one does."""

import json
import socket
import sys
from dataclasses import asdict, replace

import pytest
import torch
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.rows import min_batch_of
from probe_models.training.settings import Adversary, Balance, Settings
from probe_models.training.workers import Workers
from safetensors.torch import load_file

from probe.errors import RangeError
from tests.models.test_survival import CPU, quiet, rows, same, weights
from tests.processes import start

# In double precision, so that only rounding differs; without batch statistics, which a process takes of its own rows.
SETTINGS = Settings(epochs=2, batch_size=30, learning_rate=1e-2, label_smoothing=0.1, augment={"shift": 1}, mixup=0.4)
STAGED = replace(SETTINGS, freeze={"first.*": 1, "second.*": 0.5})
BALANCED = replace(SETTINGS, mixup=0.0, balance=Balance(method="group dro", groups=("half",), step=0.5))
HARDENED = replace(SETTINGS, adversary=Adversary(method="trades", eps=0.1, steps=2))
CODE = """
import json, sys
from dataclasses import replace
from pathlib import Path
import torch
from probe_models.training.loop import fit
from probe_models.training.settings import Settings
from probe_models.training.workers import Workers
from safetensors.torch import save_file
from tests.models.test_survival import CPU
from tests.models.test_workers import data, normalised, plain
import os
torch.set_num_threads(1)
folder = Path(sys.argv[1])
settings = Settings.from_toml(json.loads(sys.argv[2]))
network, held, spread = plain(), [], Workers.spread

def counted(self, objective, settings):
    forward = spread(self, objective, settings)
    held.extend(getattr(weight, "to_local", lambda: weight)().numel() for weight in objective.network.parameters())
    return forward

Workers.spread = counted
trained = fit(network, data(), settings, device=CPU, folder=folder)
rank = os.environ["RANK"]
(folder / f"held-{rank}.json").write_text(json.dumps(sum(held)))
tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
save_file(tensors, folder / f"end-{rank}.safetensors")
(folder / f"lines-{rank}.json").write_text(json.dumps(trained.lines))
"""


# As several seeds are trained: one after the other, while the first process is late, as it has a model to judge.
AGAIN = CODE.replace(
    "trained =",
    "fit(plain(), data(), settings, device=CPU, seed=1)\n"
    "if os.environ['RANK'] == '0':\n    import time; time.sleep(1)\n"
    "trained =",
)


def plain():
    return build("lenet", {"side": 16, "classes": 2, "dropout": 0.3}).double()


def normalised():
    return build("cnn", {"side": 16, "widths": [4], "classes": 2}).double()


def data():
    import pandas as pd
    from torch.nn.functional import interpolate

    small = rows()
    half = pd.DataFrame({"half": ["rare" if row % 5 == 0 else "common" for row in range(len(small))]})
    return replace(small, inputs=interpolate(small.inputs, (16, 16)).double(), groups=half)


def table(settings):
    return {name: value for name, value in asdict(settings).items() if value is not None}


def launched(folder, settings, code=CODE):
    """Train in two processes, with the environment that torchrun gives them; what they say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    started = []
    for rank in "01":
        own = there | {"RANK": rank, "LOCAL_RANK": rank}
        given = (folder, json.dumps(table(settings)))
        started.append(start(code, *given, said=folder / f"said-{rank}", environment=own))
    for process in started:
        process.join(100)
    said = "".join((folder / f"said-{rank}").read_text() for rank in "01")
    assert [process.exitcode for process in started] == [0, 0], said[-3000:]
    return said


def by_torchrun(folder, settings):
    """Train in two processes that are forked with the environment of torchrun's own launcher; what they say."""
    launch = (
        "import multiprocessing, sys\n"
        "multiprocessing.current_process()._config['daemon'] = False  # it has children\n"
        "from torch.distributed.launcher.api import LaunchConfig, elastic_launch\n"
        "from tests.models.test_workers import trained_from\n"
        "how = LaunchConfig(1, 1, 2, run_id='1', rdzv_backend='c10d', rdzv_endpoint='127.0.0.1:0')\n"
        "how.start_method = 'fork'\n"
        "elastic_launch(how, trained_from)(*sys.argv[1:])\n"
    )
    process = start(launch, folder, json.dumps(table(settings)), said=folder / "said")
    process.join(100)
    said = (folder / "said").read_text()
    assert process.exitcode == 0, said[-3000:]
    return said


def trained_from(*given):
    """What each process runs."""
    sys.argv = ["-c", *given]
    exec(CODE, {"__name__": "__main__"})


def held(folder):
    """How many numbers of the weights each process held."""
    return [json.loads((folder / f"held-{rank}.json").read_text()) for rank in "01"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "started"),
    [(SETTINGS, by_torchrun), (BALANCED, launched), (STAGED, launched), (HARDENED, launched)],
    ids=["mixed", "balanced", "staged", "hardened"],
)
def test_two_processes_train_like_one(settings, started, tmp_path):
    network = plain()
    alone = fit(network, data(), settings, device=CPU, progress=quiet)
    said = started(tmp_path, settings)
    assert held(tmp_path) == [sum(weight.numel() for weight in network.parameters())] * 2
    first, second = (load_file(tmp_path / f"end-{rank}.safetensors") for rank in "01")
    assert same(first, second)
    for name, tensor in weights(network).items():
        torch.testing.assert_close(first[name], tensor, rtol=0, atol=1e-6)
    lines = json.loads((tmp_path / "lines-0.json").read_text())
    for one, two in zip(alone.lines, lines, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-6)
        assert two["validation_loss"] == pytest.approx(one["validation_loss"], abs=1e-6)
    # One of them speaks, and one writes.
    assert said.count("epoch 1/2") == 1
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("settings", [SETTINGS, STAGED], ids=["mixed", "staged"])
def test_processes_with_sharded_weights_train_like_one(settings, tmp_path):
    network = plain()
    fit(network, data(), settings, device=CPU, progress=quiet)
    launched(tmp_path, replace(settings, parallel="sharded", layout="channels first"))
    whole, parts = sum(weight.numel() for weight in network.parameters()), held(tmp_path)
    assert sum(parts) == whole
    assert max(parts) < 0.6 * whole
    first, second = (load_file(tmp_path / f"end-{rank}.safetensors") for rank in "01")
    assert same(first, second)
    for name, tensor in weights(network).items():
        torch.testing.assert_close(first[name], tensor, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_processes_train_one_network_after_another(tmp_path):
    network = plain()
    fit(network, data(), SETTINGS, device=CPU, progress=quiet)
    launched(tmp_path, SETTINGS, code=AGAIN)
    for name, tensor in weights(network).items():
        torch.testing.assert_close(load_file(tmp_path / "end-1.safetensors")[name], tensor, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_batch_norm_works_with_the_last_rows_of_an_epoch_in_each_process(tmp_path):
    # 3 rows are left of 180, and 1 of them for the second process.
    launched(tmp_path, replace(SETTINGS, batch_size=59), code=CODE.replace("= plain()", "= normalised()"))
    first, second = (load_file(tmp_path / f"end-{rank}.safetensors") for rank in "01")
    assert all(bool(tensor.isfinite().all()) for tensor in first.values())
    learned = [name for name, _ in normalised().named_parameters()]
    assert all(torch.equal(first[name], second[name]) for name in learned)


def test_batch_norm_needs_two_rows_per_process():
    with pytest.raises(RangeError, match=r"Settings.batch_size must be 6 or more for 3 processes, got 5"):
        min_batch_of(normalised(), replace(SETTINGS, batch_size=5), Workers(count=3))
    assert min_batch_of(normalised(), SETTINGS, Workers(count=3)) == 6
    assert min_batch_of(plain(), replace(SETTINGS, batch_size=1), Workers(count=3)) == 1
