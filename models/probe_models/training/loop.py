"""The entry point of training."""

import hashlib
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from probe import Dataset
from probe.names import require
from probe.task import Task
from probe.tensors import sha256
from probe_models.device import device_of
from probe_models.networks.drawing import tensors
from probe_models.randomness import fixed
from probe_models.training.answers import answered, task_of
from probe_models.training.augment import Augmentation, check_augmentation, followed
from probe_models.training.beginning import begin
from probe_models.training.callables import check_callable
from probe_models.training.loaders import Divided, Loader, digest, divide, loader_of
from probe_models.training.metrics import Metrics
from probe_models.training.objectives import Own, objective_of
from probe_models.training.rows import batches, min_batch_of, split_validation
from probe_models.training.run import Heard, OnEpoch, Progress, Run
from probe_models.training.run_state import Trained, Weights
from probe_models.training.settings import Settings, settings_of
from probe_models.training.state import States, ensure_folder, locked
from probe_models.training.stepper import Stepper
from probe_models.training.workers import Workers, distributed


def to_stderr(line: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(line + "\n")


def fit(  # noqa: PLR0913  # network, data and settings; the rest by name
    network: nn.Module,
    data: "Dataset | Loader | DataLoader[Any]",
    settings: Settings,
    *,
    device: torch.device | str,
    seed: int = 0,
    progress: Progress = to_stderr,
    folder: str | Path | None = None,
    weights: Weights | None = None,
    initialise: bool | None = None,
    save_every: float = 30.0,
    objective: Own | None = None,
    augment: Augmentation | None = None,
    validation: Dataset | None = None,
    on_epoch: OnEpoch = lambda line: None,
) -> Trained:
    """Train a network; afterwards it has the weights of its best epoch and is in eval mode.

    The best epoch has the lowest loss on validation rows, which are split off `data` and never trained on. Without a
    folder, Ctrl-C ends training and keeps the best epoch so far. With a folder, the state is saved in it: Ctrl-C and
    SIGTERM finish the step and write the state. The same call resumes the run, however it ended, and on a CPU gives the
    same bits as an uninterrupted run. A NaN loss ends training too; the last good state is kept.

    Args:
        network: the network to train: from `probe_models.networks.build`, or any module that returns logits.
        data: training and validation rows: in memory, or read on demand (`probe_models.training.loaders`).
        settings: all hyperparameters.
        device: where to train, such as "cuda".
        seed: of the initial weights, the batch order and all other random draws.
        progress: called with a line of text after each epoch.
        folder: where to write `metrics.jsonl`, one line an epoch, and the state, which `States.clear` removes.
        weights: initial tensors by name; all others are drawn.
        initialise: whether to draw the network's existing weights anew. Not needed for a network from `build`, which
            has no weights yet, or if `weights` has all of them.
        save_every: seconds between two saved states; 0 saves after each step.
        objective: a custom loss, loss(outputs, labels) -> one number per row; or a task, such as `MultiLabel(("cat",
            "dog"))`; or a subclass of `Objective`; by default that of `settings.loss`. Its code is not part of the
            identity of a saved state.
        augment: a custom augmentation, augment(inputs, generator) -> inputs, applied after that of the settings; it
            must draw from the generator only.
        validation: validation rows, instead of those that `settings.validation` splits off `data`.
        on_epoch: called with the metrics of each epoch, as in `metrics.jsonl`: epoch, loss, validation_loss,
            next_learning_rate, seconds and, for classes, training_accuracy and validation_accuracy.

    Raises:
        ExistsError: if another process trains into the folder, or it holds the state of another run.
        PlanError: if `initialise` is needed, the seed cannot control the initial weights, or a callback cannot be
            called as it will be; the network is unchanged.
        DataError: if the network cannot take the rows.
        ProbeError: if the loss is NaN or infinite.
    """
    settings, place = settings_of(settings), device_of(device)
    if validation is not None:
        split = "validation=Dataset(inputs, labels), or Settings(validation=0.2) for that part of the rows"
        require(validation, Dataset, "validation", split)
    if augment is not None:
        check_augmentation(augment)
    check_callable("on_epoch", on_epoch, 1, "a function on_epoch(metrics), such as on_epoch=print")
    check_callable("progress", progress, 1, "a function progress(line), such as progress=print")
    folder, learnt = Path(folder) if folder else None, task_of(settings, objective)
    data = answered(loader_of(data), learnt)
    validation = None if validation is None else answered(validation, learnt)
    divided = _divided(data, settings, validation)
    begin(
        network,
        divided.known,
        settings,
        seed,
        weights,
        initialise=initialise,
        objective=objective,
        validation=validation,
    )
    # For a network that keeps its weights, they are part of the identity of the run.
    initial = sha256(tensors(network) if initialise is False else weights or {}) if folder else ""
    network.to(place)
    if folder:
        ensure_folder(folder)
    with distributed(place) as workers, _ownership(folder, workers):
        goal = objective_of(network, settings, divided.known, objective).to(place)
        if augment:
            goal.augment = followed(goal.augment, augment)
        min_batch = min_batch_of(network, settings, workers)
        steps = settings.epochs * len(batches(len(divided.training), settings.batch_size, min_batch))
        stepper = Stepper(goal, settings, steps=steps, seed=seed, workers=workers)
        # No state is saved for sharded weights: such a run starts over. All processes read the state, one writes it.
        kept = None if workers.shards(settings) else folder
        states = None
        if kept:  # else nobody asks which run it is, and a digest of all rows takes as long as many steps
            named = [_said(own) for own in (objective, augment) if own is not None]
            named += [validation.digest()] if validation else []
            identity = _identity(network, digest(data, divided), settings, seed, [initial, *named])
            states = States(kept, identity, save_every)
        metrics = Metrics(folder if workers.leads else None)
        heard = Heard(progress, on_epoch)
        run = Run(stepper, divided, min_batch, heard, metrics, states)
        return run.to_the_end()


def _divided(data: Dataset | Loader, settings: Settings, validation: Dataset | None) -> Divided:
    """The rows to train on, and those to choose the best epoch by."""
    if isinstance(data, Dataset):
        part, held_out = split_validation(data, settings.validation) if validation is None else (data, validation)
        return Divided(part, part, held_out)
    with fixed(0):  # rows held in memory are read with the same draws for every seed
        return divide(data, settings, validation)


def _said(own: Any) -> str:
    """What identifies a custom loss, task or augmentation in the state of a run."""
    return repr(own) if isinstance(own, Task) else str(getattr(own, "__qualname__", type(own).__name__))


def _ownership(folder: Path | None, workers: Workers) -> AbstractContextManager[None]:
    return locked(folder) if folder and workers.leads else nullcontext()


def _identity(network: nn.Module, data: str, settings: Settings, seed: int, initial: list[str]) -> str:
    """A digest of everything that determines a run."""
    # Modules without weights, such as dropout, are in the repr.
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    text = json.dumps([repr(network), shapes, data, asdict(settings), seed, initial], default=str)
    return hashlib.sha256(text.encode()).hexdigest()
