"""Train a model of the zoo, and write what came of it."""

import json
import os
import platform
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from probe import Dataset, Space, store
from probe.errors import ExistsError, ProbeError, RangeError
from probe_models.datasets import task_of
from probe_models.datasets.own import SPACE
from probe_models.device import device_of
from probe_models.networks import build
from probe_models.training.loop import fit, to_stderr
from probe_models.training.objectives import learned_as
from probe_models.training.rows import split_validation
from probe_models.training.run import Progress
from probe_models.training.run_state import Trained
from probe_models.training.signals import terminable
from probe_models.training.state import States, ensure_folder, locked
from probe_models.zoo import artefact, folder_of, recipe_of
from probe_models.zoo.cards import CARD, read_card, write_card
from probe_models.zoo.curve import draw
from probe_models.zoo.evaluation import evaluate, over_seeds, seen_in_training
from probe_models.zoo.recipes import Recipe
from probe_models.zoo.transfer import learned


def train(  # noqa: PLR0913  # what to train, then options by name
    name: str,
    out: str | Path | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    seeds: int = 1,
    progress: Progress = to_stderr,
    recipe: Recipe | None = None,
) -> dict[str, Any]:
    """Train a model, save it, and evaluate what was saved on the test split.

    A run that was interrupted or killed is taken up again by the same call. Where `torchrun` started several processes
    they train together, and the first of them writes.

    Args:
        name: a model of the zoo, or any name for one of your own recipe.
        out: the folder to write, `trained/<name>` unless given; further seeds go into `seed-1` and so on within it.
        device: where to train; an accelerator if there is one, unless given.
        seed: of the first weights and of all that is drawn on the way.
        seeds: how many to train, from `seed` on; the card of the first tells how all of them do.
        progress: takes a line of progress after each epoch.
        recipe: how; that of the zoo unless given.

    Returns:
        The card; nothing from processes other than the first.

    Raises:
        ExistsError: if the folder holds a model already, or another process trains into it.
        DataError: if it cannot be written, or the data cannot be read.
    """
    if seeds < 1:
        raise RangeError(f"seeds = {seeds}, expected 1 or more")
    recipe = recipe or recipe_of(name)
    folder = Path(out) if out is not None else Path("trained") / name
    place = device_of(device or _best_device())
    if seeds == 1:
        return _train_one(name, recipe, folder, place, seed, progress)
    cards = []
    for k in range(seeds):
        each = folder / f"seed-{seed + k}" if k else folder
        # Of several seeds those that are done are not done again.
        cards.append(done(name, recipe, each, seed + k) or _train_one(name, recipe, each, place, seed + k, progress))
    if not _leads():
        return cards[0]
    cards[0]["over_seeds"] = over_seeds([card["metrics"] for card in cards])
    write_card(folder, cards[0])
    return cards[0]


def done(name: str, recipe: Recipe, folder: Path, seed: int) -> dict[str, Any]:
    """The card of a run that is over, if it was this one."""
    card = _over(folder)
    training, data = card.get("training", {}), card.get("data", {})
    found = [card.get("name"), card.get("architecture"), data.get("name"), data.get("judged_on")]
    architecture = {"name": recipe.architecture, "kwargs": dict(recipe.kwargs)}
    wanted = [name, architecture, recipe.data, recipe.judged_on, seed, asdict(recipe.settings)]
    same = [*found, training.get("seed"), training.get("settings")] == json.loads(json.dumps(wanted))
    return card if same else {}


def _over(folder: Path) -> dict[str, Any]:
    """The card in a folder, once its model was judged."""
    card = read_card(folder) if (folder / CARD).exists() else {}
    return card if "metrics" in card else {}


def _train_one(
    name: str, recipe: Recipe, folder: Path, device: torch.device, seed: int, progress: Progress
) -> dict[str, Any]:
    # Before training, not after it: a folder that cannot be written should not cost its time.
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    ensure_folder(folder)
    try:
        with terminable(), locked(folder) if _leads() else nullcontext():
            return _train_owned(name, recipe, folder, device, seed, progress)
    except ProbeError:
        # A run that was refused leaves no folder; one with anything in it stays.
        for path in new if _leads() else ():
            if not any(path.iterdir()):
                path.rmdir()
        raise


def _train_owned(
    name: str, recipe: Recipe, folder: Path, device: torch.device, seed: int, progress: Progress
) -> dict[str, Any]:
    # A run that was ended while its model was judged left its state too: it is taken up.
    refused = () if States.left(folder) and not _over(folder) else (CARD, artefact.WEIGHTS)
    for file in refused:
        if (folder / file).exists():
            raise ExistsError(f"{folder / file} exists and is left as it is; give another folder, or remove it first")
    data = recipe.reader.read("train")
    network = build(recipe.architecture, recipe.kwargs)
    weights = learned(recipe.begin.model, network, recipe.begin.replaced) if recipe.begin else None
    count = sum(p.numel() for p in network.parameters())
    for notice in data.notices if recipe.own else ():
        progress(f"note: {notice}")
    progress(f"{name}, seed {seed}: {count:,} parameters, {_rows(data, recipe)}, {device}")
    trained = fit(
        network,
        data,
        recipe.settings,
        device=device,
        seed=seed,
        progress=progress,
        folder=folder,
        weights=weights,
        objective=learned_as(task_of(recipe.reader)),
    )
    if not _leads():
        return {}
    card = _card(name, recipe, trained, data, device, seed) | {"parameters": count}
    draw(folder, name, trained)
    artefact.write(folder, network, card)
    if recipe.own:
        _keep_space(folder, data.space)
    # Only now is the test split read, and what it judges is the file, not what is in memory.
    test = recipe.judge.read("test")
    card["data"]["rows"] |= {"test": len(test), "test_seen_in_training": seen_in_training(data, test)}
    card["metrics"] = evaluate(artefact.read(folder), test, recipe.measures)
    write_card(folder, card)
    States.clear(folder)
    return read_card(folder)


def _keep_space(folder: Path, space: Space) -> None:
    for file in store.files(folder / SPACE):
        file.unlink(missing_ok=True)
    store.write(folder / SPACE, space)


def _rows(data: Dataset, recipe: Recipe) -> str:
    training, validation = split_validation(data, recipe.settings.validation)
    return f"{len(training):,} rows and {len(validation):,} for validation"


def _card(
    name: str, recipe: Recipe, trained: Trained, data: Dataset, device: torch.device, seed: int
) -> dict[str, Any]:
    begin, fitting = recipe.begin, trained.fitting
    return {
        "name": name,
        "architecture": {"name": recipe.architecture, "kwargs": dict(recipe.kwargs)},
        "data": {
            "name": recipe.data,
            "judged_on": recipe.judged_on,
            "source": data.source,
            **(recipe.own.record() if recipe.own else {}),
            "train_sha256": data.digest(),
            "rows": {"train": trained.rows, "validation": trained.validation_rows},
        },
        "preprocessing": recipe.preprocessing,
        "classes": list(recipe.judge.CLASSES),
        **({} if task_of(recipe.judge).one_class else {"task": task_of(recipe.judge).to_json()}),
        "training": {
            "settings": asdict(recipe.settings),
            "begin": begin and asdict(begin) | {"sha256": read_card(folder_of(begin.model))["weights"]["sha256"]},
            "seed": seed,
            "epochs": trained.epochs,
            "best_epoch": trained.best.number,
            "validation_loss": trained.best.loss,
            "validation_accuracy": trained.best.accuracy,
            "untrained_validation_loss": trained.untrained,
            "fitting": asdict(fitting),
            "seconds": round(trained.seconds, 1),
            "rows_per_second": round(trained.rows * trained.epochs / trained.seconds),
            "hardware": _hardware(device),
            "torch": torch.__version__,
        },
    }


def _best_device() -> str:
    # Each process that torchrun started on a machine takes an accelerator of its own.
    if torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _leads() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} CPU cores"
