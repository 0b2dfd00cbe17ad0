"""What ends a run from outside: it finishes its step, keeps it, and the same command goes on from there."""

import json
import os
import signal
import threading
import time

import pytest
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.signals import asked_to_stop, terminable
from probe_models.training.state import States
from probe_models.zoo import recipe_of
from probe_models.zoo.train import train

from probe import zoo
from tests.models.test_survival import CPU, SETTINGS, quiet, rows, same, small, weights
from tests.processes import start

# The command line, whose line about an epoch waits for a file: a signal arrives meanwhile.
CODE = """
import sys, time
from pathlib import Path
from probe.cli.commands import app
go, said, write = Path(sys.argv[1]), Path(sys.argv[2]), sys.stderr.write
def waiting(text):
    write(text)
    sys.stderr.flush()
    if text.startswith(f"epoch {sys.argv[3]}/"):
        said.touch()
        while not go.exists():
            time.sleep(0.01)
sys.stderr.write = waiting
app(sys.argv[4:])
"""


@pytest.mark.slow
def test_a_signal_finishes_the_step_and_the_same_command_ends_with_the_same_bits(tmp_path):
    """Ended once by each signal: SIGTERM in its third epoch, and SIGINT two epochs later."""
    folder = tmp_path / "german"
    # 630 rows in batches of 32 are 20 steps an epoch; one more is finished.
    for number, code, epoch in ((signal.SIGTERM, 143, 2), (signal.SIGINT, 130, 4)):
        go, there, said = (tmp_path / f"{name} {epoch}" for name in ("go", "there", "said"))
        process = start(CODE, go, there, epoch, "train", "german-mlp", "--out", folder, said=said)
        while not there.exists():
            assert process.is_alive(), said.read_text()
            time.sleep(0.01)
        os.kill(process.pid, number)
        go.touch()
        process.join()
        assert process.exitcode == code
        assert f"stopped after step {20 * epoch + 1} in total; the same call continues from there" in said.read_text()
        assert "Traceback" not in said.read_text()
        assert States.left(folder)
    lines = []
    train("german-mlp", out=folder, progress=lines.append)
    assert lines[1] == "continuing in epoch 5, after 81 steps in total"
    assert json.loads((folder / "card.json").read_text())["weights"]["sha256"] == zoo.load(folder).digest()
    network = trained_in_one_go()
    assert same(weights(network), dict(zoo.load(folder).forward.state_dict()))


def trained_in_one_go():
    recipe = recipe_of("german-mlp")
    network = build(recipe.architecture, recipe.kwargs)
    fit(network, zoo.data("german", "train"), recipe.settings, device=CPU, progress=quiet)
    return network


def signalled(number, at):
    """Progress that sends a signal to this process after an epoch."""

    def tell(line):
        if line.startswith(f"epoch {at}/"):
            signal.raise_signal(number)

    return tell


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
@pytest.mark.parametrize("at", [1, SETTINGS.epochs])
def test_after_a_signal_handlers_are_what_they_were_and_the_run_goes_on(number, error, at, tmp_path):
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(error) as ended:
        fit(small(), rows(), SETTINGS, device=CPU, progress=signalled(number, at), folder=tmp_path)
    assert getattr(ended.value, "code", 143) == 143
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
    again, whole = small(), small()
    fit(again, rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path)
    fit(whole, rows(), SETTINGS, device=CPU, progress=quiet)
    assert same(weights(again), weights(whole))


def test_a_second_signal_does_not_wait():
    with asked_to_stop((signal.SIGINT,)) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_foreign_signal_handlers_are_not_replaced():
    heard, before = [], signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with asked_to_stop((signal.SIGTERM,)) as stop, terminable():
            signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert stop.asked is None
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_in_another_thread_than_the_main_one_handles_no_signals(tmp_path):
    trained = []
    thread = threading.Thread(
        target=lambda: trained.append(fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path))
    )
    thread.start()
    thread.join()
    assert trained[0].epochs == SETTINGS.epochs


def test_sigterm_during_the_evaluation_ends_with_its_exit_code():
    with pytest.raises(SystemExit) as ended, terminable():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
