"""The training loop."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from models.networks import start
from models.networks.network import Network
from models.training.augment import AUGMENTATIONS
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


def fit(
    network: Network,
    data: Dataset,
    settings: Settings,
    *,
    device: torch.device,
    seed: int = 0,
    progress: Progress = to_stderr,
) -> Trained:
    """Train a network from new weights; leave the weights of its best epoch in it, in eval mode.

    AdamW (arXiv:1711.05101) with a rate that climbs and falls once. The best epoch has the lowest loss on validation
    rows, which are carved from `data` and never trained on. Ctrl-C ends training and keeps the best epoch so far.

    Raises:
        ProbeError: if the loss is no longer a number.
    """
    begun = time.perf_counter()
    random = generator(seed, torch.device("cpu"))
    training, validation = carve(data, settings.validation)
    start(network, training.inputs, random)
    network.to(device)
    epochs = _epochs(network, training, validation, settings, random)
    best, weights, number = None, _copy(network), 0
    try:
        for number, (loss, judged) in enumerate(epochs, start=1):
            if best is None or judged.loss < best.loss:
                best, weights = judged, _copy(network)
            left = (time.perf_counter() - begun) / number * (settings.epochs - number)
            progress(
                f"epoch {number}/{settings.epochs}: loss {loss:.4f}, on validation rows {judged.loss:.4f} "
                f"and accuracy {judged.accuracy:.4f}; {left:.0f} s left"
            )
            if number - best.number >= settings.patience:
                progress(f"no better for {settings.patience} epochs")
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        progress("interrupted")
    if best is None:
        raise ProbeError("training ended before its first epoch did")
    progress(f"keeping epoch {best.number}")
    network.load_state_dict(weights)
    network.eval()
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
    network: Network, training: Dataset, validation: Dataset, settings: Settings, random: torch.Generator
) -> Iterator[tuple[float, Epoch]]:
    """Train epoch by epoch, and give the mean training loss and the judgement after each."""
    device = next(network.parameters()).device
    inputs, labels = training.inputs.to(device), training.labels.to(device)
    total = settings.epochs * math.ceil(len(inputs) / settings.batch)
    optimiser = AdamW(_parameters(network, settings.weight_decay), lr=settings.rate)
    schedule = LambdaLR(optimiser, lambda step: climb_and_fall(step / total, settings.warmup))
    augment = AUGMENTATIONS[settings.augment]
    for number in range(1, settings.epochs + 1):
        network.train()
        losses = []
        order = torch.randperm(len(inputs), generator=random).to(device)
        for rows in (order[span] for span in spans(len(inputs), settings.batch)):
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                logits = network(augment(inputs[rows], random))
                loss = cross_entropy(logits, labels[rows], label_smoothing=settings.smoothing)
            losses.append(_descend(loss, network, optimiser, schedule))
        network.eval()
        yield _mean(torch.stack(losses), number, settings), _judge(network, validation, number)


def _descend(loss: Tensor, network: nn.Module, optimiser: Optimizer, schedule: LambdaLR) -> Tensor:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    return loss.detach()


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
def _judge(network: Network, data: Dataset, number: int) -> Epoch:
    device = next(network.parameters()).device
    inputs, labels = data.inputs.to(device), data.labels.to(device)
    logits = torch.cat([network(inputs[rows]) for rows in spans(len(inputs), rows_per_pass(inputs))])
    accuracy = (logits.argmax(1) == labels).double().mean()
    return Epoch(number, float(cross_entropy(logits, labels)), float(accuracy))


def _parameters(network: Network, weight_decay: float) -> list[dict[str, object]]:
    # Decay holds back the matrices that mix inputs; scales, shifts and positions have no reason to be small.
    matrices = [p for name, p in network.named_parameters() if name.endswith("weight") and p.ndim > 1]
    others = [p for name, p in network.named_parameters() if not (name.endswith("weight") and p.ndim > 1)]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def climb_and_fall(done: float, warmup: float) -> float:
    """The part of the highest rate: it climbs linearly during `warmup`, then falls to 0 as half a cosine."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
