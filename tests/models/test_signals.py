"""What ends a run from outside: it finishes its step, keeps it, and the same command goes on from there."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.signals import asked_to_stop, terminable
from probe_models.training.state import States
from probe_models.zoo import recipe_of
from probe_models.zoo.train import train

from probe import zoo
from tests.models.test_survival import CPU, SETTINGS, quiet, rows, same, small, weights

# The command line, whose line about an epoch waits for one of standard input: a signal arrives meanwhile.
CODE = """
import sys
import probe_models.training.loop as loop
from probe.cli import app
write = sys.stderr.write
def waiting(text):
    write(text)
    sys.stderr.flush()
    if text.startswith("epoch 2/"):
        sys.stdin.readline()
sys.stderr.write = waiting
app(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_signal_finishes_the_step_and_the_same_command_ends_with_the_same_bits(tmp_path):
    """Ended once by each signal: SIGTERM in its third epoch, and SIGINT two epochs later."""
    folder = tmp_path / "german"
    # 630 rows in batches of 32 are 20 steps an epoch; one more is finished.
    for number, code, epoch in ((signal.SIGTERM, 143, 2), (signal.SIGINT, 130, 4)):
        command = [sys.executable, "-c", CODE.replace("epoch 2/", f"epoch {epoch}/"), "train", "german-mlp"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([*command, "--out", str(folder)], env=environment, text=True, **pipes) as process:
            assert any(line.startswith(f"epoch {epoch}/") for line in process.stderr)
            process.send_signal(number)
            _, said = process.communicate("\n")
        assert process.returncode == code
        assert f"stopped after step {20 * epoch + 1} in total; the same call continues from there" in said
        assert "Traceback" not in said
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
