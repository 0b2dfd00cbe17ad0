"""Training: what `fit` is given becomes one run."""

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
from probe.task import Task
from probe.tensors import sha256
from probe_models.networks.drawing import tensors
from probe_models.randomness import fixed
from probe_models.training.augment import Augmentation, followed
from probe_models.training.beginning import begin
from probe_models.training.loaders import Divided, Loader, digest, divide, loader_of
from probe_models.training.metrics import Metrics
from probe_models.training.objectives import Own, objective_of
from probe_models.training.rows import batches, min_batch_of, split_validation
from probe_models.training.run import Heard, OnEpoch, Progress, Run
from probe_models.training.run_state import Trained, Weights
from probe_models.training.settings import Settings
from probe_models.training.state import States, ensure_folder, locked
from probe_models.training.stepper import Stepper
from probe_models.training.workers import Workers, distributed


def to_stderr(line: str) -> None:
    """Show a line of progress."""
    sys.stderr.write(line + "\n")


def fit(  # noqa: PLR0913  # three that are trained with, and by name: where, from what, and who hears of it
    network: nn.Module,
    data: "Dataset | Loader | DataLoader[Any]",
    settings: Settings,
    *,
    device: torch.device,
    seed: int = 0,
    progress: Progress = to_stderr,
    folder: Path | None = None,
    weights: Weights | None = None,
    initialise: bool | None = None,
    save_every: float = 30.0,
    objective: Own | None = None,
    augment: Augmentation | None = None,
    validation: Dataset | None = None,
    on_epoch: OnEpoch = lambda line: None,
) -> Trained:
    """Train a network; leave the weights of its best epoch in it, in eval mode.

    The best epoch has the lowest loss on validation rows, which are carved from `data` and never trained on. Without a
    folder Ctrl-C ends training and keeps the best epoch so far. With one, the state is kept in it: Ctrl-C and SIGTERM
    finish the step and write the state, and then, or however else it ended, the same call takes the run up again, and
    on a CPU ends with the same bits. A loss that is no longer a number ends training too; the last good state is kept.

    Args:
        network: what to train: one that `probe_models.networks.build` made, or any module of logits.
        data: rows to train on and to choose the best epoch by: in memory, or read when they are needed, as
            `probe_models.training.loaders` has it.
        settings: every choice that training makes.
        device: where to train.
        seed: of the first weights, the order of the batches and all that is drawn on the way.
        progress: takes a line after each epoch.
        folder: where to write `metrics.jsonl`, one line an epoch, and the state, which `States.clear` removes.
        weights: tensors to begin with, by name, in place of those that are drawn; others are drawn all the same.
        initialise: whether the weights that the network has are drawn anew. A network that `build` made has none, and
            needs no answer; nor does one whose every weight is in `weights`.
        save_every: seconds between two states; 0 writes one after each step.
        objective: a custom loss, loss(outputs, labels) -> a number for each row; or what the labels are, such as
            `MultiLabel(("cat", "dog"))`; or a subclass of `Objective`. The one that `settings.loss` names unless given.
            Its code is not part of what a state is recognised by.
        augment: a custom augmentation, augment(inputs, generator) -> inputs, after that of the settings; it must draw
            from the generator alone.
        validation: rows to choose the best epoch by, in place of those that `settings.validation` splits off `data`.
        on_epoch: takes what `metrics.jsonl` holds of an epoch: epoch, loss, validation_loss, next_learning_rate,
            seconds and, where there are classes, training_accuracy and validation_accuracy.

    Raises:
        ExistsError: if another process trains into the folder, or it holds the state of another run.
        PlanError: if it is not said whether the network's own weights are to be drawn anew, or the seed cannot decide
            them; the network stays what it was.
        DataError: if the network cannot take the rows.
        ProbeError: if the loss is no longer a number.
    """
    data = loader_of(data)
    if isinstance(data, Dataset):
        part, held_out = split_validation(data, settings.validation) if validation is None else (data, validation)
        divided = Divided(part, part, held_out)
    else:
        with fixed(0):  # the rows that are held are read with the same draws whatever the seed
            divided = divide(data, settings, validation)
    begin(network, divided.known, settings, seed, weights, initialise=initialise, classes=objective is None)
    # Of a network that begins with what it has, that is a part of what the run is.
    initial = sha256(tensors(network)) if initialise is False else sha256(weights or {})
    network.to(device)
    if folder:
        ensure_folder(folder)
    with distributed(device) as workers, _ownership(folder, workers):
        goal = objective_of(network, settings, divided.known, objective).to(device)
        if augment:
            goal.augment = followed(goal.augment, augment)
        min_batch = min_batch_of(network, settings, workers)
        steps = settings.epochs * len(batches(len(divided.training), settings.batch_size, min_batch))
        stepper = Stepper(goal, settings, steps=steps, seed=seed, workers=workers)
        # A state of divided weights is not kept: such a run begins anew. All read the state, and one writes it.
        kept = None if workers.shards(settings) else folder
        named = [_said(own) for own in (objective, augment) if own is not None]
        named += [validation.digest()] if validation else []
        identity = _identity(network, digest(data, divided), settings, seed, [initial, *named])
        states = States(kept, identity, save_every) if kept else None
        metrics = Metrics(folder if workers.leads else None)
        heard = Heard(progress, on_epoch)
        run = Run(stepper, divided, min_batch, heard, metrics, states)
        return run.to_the_end()


def _said(own: Any) -> str:
    """What identifies a custom loss, task or augmentation in the state of a run."""
    return repr(own) if isinstance(own, Task) else str(getattr(own, "__qualname__", type(own).__name__))


def _ownership(folder: Path | None, workers: Workers) -> AbstractContextManager[None]:
    return locked(folder) if folder and workers.leads else nullcontext()


def _identity(network: nn.Module, data: str, settings: Settings, seed: int, initial: list[str]) -> str:
    """A digest of all that a run is determined by."""
    # What has no weights, such as dropout, is in its text.
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    text = json.dumps([repr(network), shapes, data, asdict(settings), seed, initial], default=str)
    return hashlib.sha256(text.encode()).hexdigest()
