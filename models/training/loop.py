"""The training loop."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.networks import start
from models.networks.network import Network
from models.training.augment import compose
from models.training.learner import Learner
from models.training.metrics import recorder
from models.training.mixup import mixup
from models.training.schedules import climb_and_fall as climb_and_fall
from models.training.settings import Settings
from probe import Dataset
from probe.errors import DataError, ProbeError
from probe.tensors import generator, rows_per_pass, spans

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Epoch:
    """How the network did on the validation rows after an epoch."""

    number: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Trained:
    """What came of training."""

    best: Epoch
    epochs: int
    rows: int
    validation_rows: int
    seconds: float


def to_stderr(line: str) -> None:
    """Show a line of progress."""
    sys.stderr.write(line + "\n")


def fit(  # noqa: PLR0913  # three that are trained with, and by name: where, from which draw, and who hears of it
    network: Network,
    data: Dataset,
    settings: Settings,
    *,
    device: torch.device,
    seed: int = 0,
    progress: Progress = to_stderr,
    folder: Path | None = None,
) -> Trained:
    """Train a network from new weights; leave the weights of its best epoch in it, in eval mode.

    The best epoch has the lowest loss on validation rows, which are carved from `data` and never trained on. Ctrl-C
    ends training and keeps the best epoch so far, and so does a loss that is no longer a number.

    Args:
        network: what to train; its weights are drawn anew.
        data: rows to train on and to choose the best epoch by.
        settings: every choice that training makes.
        device: where to train.
        seed: of the first weights, the order of the batches and all that is drawn on the way.
        progress: takes a line after each epoch.
        folder: where to write `metrics.jsonl`, one line an epoch.

    Raises:
        ProbeError: if the loss is no longer a number.
    """
    begun = time.perf_counter()
    random = generator(seed, torch.device("cpu"))
    training, validation = carve(data, settings.validation)
    record = recorder(folder)
    start(network, training.inputs, random, settings.initialiser)
    network.to(device)
    steps = settings.epochs * math.ceil(len(training) / settings.batch)
    learner = Learner(network, settings, classes=len(data.classes), steps=steps)
    best, weights, number = None, _copy(network), 0
    try:
        for number, (loss, judged) in enumerate(_epochs(learner, training, validation, random), start=1):
            if best is None or judged.loss < best.loss:
                best, weights = judged, _copy(learner.judged)
            seconds = time.perf_counter() - begun
            record(_line(loss, judged, learner.rate, seconds))
            progress(
                f"epoch {number}/{settings.epochs}: loss {loss:.4f}, on validation rows {judged.loss:.4f} "
                f"and accuracy {judged.accuracy:.4f}; {seconds / number * (settings.epochs - number):.0f} s left"
            )
            if number - best.number >= settings.patience:
                progress(f"no better for {settings.patience} epochs")
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        progress("interrupted")
    finally:
        network.load_state_dict(weights)
        network.eval()
    if best is None:
        raise ProbeError("training ended before its first epoch did")
    progress(f"keeping epoch {best.number}")
    return Trained(best, number, len(training), len(validation), time.perf_counter() - begun)


def carve(data: Dataset, part: float) -> tuple[Dataset, Dataset]:
    """Divide the rows into those to train on and those to choose the best epoch by.

    The division is the same for all seeds of training, so that seeds can be compared on the validation rows.
    """
    count = round(len(data) * part)
    if count < 1 or count >= len(data):
        raise DataError(f"{data.name} has {len(data)} rows: too few to keep {part:.0%} of them for validation")
    order = torch.randperm(len(data), generator=generator(0, torch.device("cpu")))
    return data[order[count:]], data[order[:count]]


def _epochs(
    learner: Learner, training: Dataset, validation: Dataset, random: torch.Generator
) -> Iterator[tuple[float, Epoch]]:
    """Train epoch by epoch, and give the mean training loss and the judgement after each."""
    settings, device = learner.settings, learner.device
    inputs, labels = training.inputs.to(device), training.labels.to(device)
    augment, classes = compose(settings.augment), len(training.classes)
    for number in range(1, settings.epochs + 1):
        learner.network.train()
        losses = []
        order = torch.randperm(len(inputs), generator=random).to(device)
        for rows in (order[span] for span in spans(len(inputs), settings.batch)):
            batch, targets = augment(inputs[rows], random), labels[rows]
            if settings.mixup:
                batch, targets = mixup(batch, targets, classes, settings.mixup, random)
            losses.append(learner.learn(batch, targets))
        learner.network.eval()
        loss, judged = _mean(torch.stack(losses), number, settings), _judge(learner, validation, number)
        learner.heed(judged.loss)
        yield loss, judged


def _mean(losses: Tensor, epoch: int, settings: Settings) -> float:
    # Looked at once an epoch: looking at every step would make an accelerator wait for it.
    broken = (~losses.isfinite()).nonzero()
    if len(broken):
        raise ProbeError(
            f"the loss is {float(losses[broken[0, 0]])} in epoch {epoch}, step {int(broken[0, 0]) + 1}; "
            f"lower Settings.rate, which is {settings.rate}"
        )
    return float(losses.mean())


@torch.no_grad()
def _judge(learner: Learner, data: Dataset, number: int) -> Epoch:
    network = learner.judged.eval()
    inputs, labels = data.inputs.to(learner.device), data.labels.to(learner.device)
    logits = torch.cat([network(inputs[rows]) for rows in spans(len(inputs), rows_per_pass(inputs))])
    accuracy, loss = (logits.argmax(1) == labels).double().mean(), learner.loss(logits, labels)
    if not math.isfinite(loss):
        raise ProbeError(
            f"the loss is {loss} on the validation rows after epoch {number}, step {learner.taken} of all; "
            f"lower Settings.rate, which is {learner.settings.rate}"
        )
    return Epoch(number, loss, float(accuracy))


def _line(loss: float, judged: Epoch, rate: float, seconds: float) -> dict[str, float]:
    return {
        "epoch": judged.number,
        "training_loss": loss,
        "validation_loss": judged.loss,
        "validation_accuracy": judged.accuracy,
        "next_rate": rate,
        "seconds": round(seconds, 3),
    }


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
