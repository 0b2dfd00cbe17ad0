"""Train a model of the zoo, and write what came of it."""

import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.datasets import reader
from models.device import device_of
from models.networks import build
from models.training.loop import Progress, Trained, fit, to_stderr
from models.zoo import artefact, recipe_of
from models.zoo.cards import CARD, read_card, write_card
from models.zoo.recipes import Recipe
from probe import Dataset, Model
from probe.errors import DataError, ExistsError
from probe.statistics import area_under_roc, calibration_error, wilson


def train(
    name: str,
    out: str | Path | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    progress: Progress = to_stderr,
) -> dict[str, Any]:
    """Train a model, save it, and evaluate what was saved on the test split.

    Args:
        name: a model of the zoo.
        out: the folder to write, `trained/<name>` unless given.
        device: where to train; an accelerator if there is one, unless given.
        seed: of the first weights, the validation rows, and the order of the batches.
        progress: takes a line of progress after each epoch.

    Returns:
        The card.

    Raises:
        ExistsError: if the folder holds a model already.
        DataError: if it cannot be written, or the data cannot be read.
    """
    recipe = recipe_of(name)
    folder = Path(out) if out is not None else Path("trained") / name
    for file in (CARD, artefact.WEIGHTS):
        if (folder / file).exists():
            raise ExistsError(f"{folder / file} exists and is left as it is; give another folder, or remove it first")
    place = device_of(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        # Before training, not after it: a folder that cannot be written should not cost its time.
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}; give another folder") from None
    data = reader(recipe.data).read("train")
    network = build(recipe.architecture, recipe.kwargs)
    progress(f"{name}: {sum(p.numel() for p in network.parameters()):,} parameters, {len(data):,} rows, {place}")
    trained = fit(network, data, recipe.settings, device=place, seed=seed, progress=progress)
    artefact.write(folder, network, _card(name, recipe, trained, data, place, seed))
    # Only now is the test split read, and what it judges is the file, not what is in memory.
    test = reader(recipe.data).read("test")
    card = read_card(folder)
    card["data"]["rows"]["test"] = len(test)
    card["metrics"] = evaluate(artefact.read(folder), test)
    write_card(folder, card)
    return card


def evaluate(model: Model, data: Dataset) -> dict[str, Any]:
    """Accuracy with its 95 % interval, calibration error, and for two classes the area under the ROC curve."""
    probabilities = model.logits(model.check(data.inputs)).double().softmax(-1).cpu().numpy()
    labels = data.labels.numpy()
    correct = probabilities.argmax(1) == labels
    low, high = wilson(correct.sum(), len(correct))
    metrics = {
        "accuracy": float(correct.mean()),
        "accuracy_interval_95": [float(low), float(high)],
        "calibration_error": calibration_error(probabilities.max(1), correct.astype(float)),
        "rows": len(correct),
    }
    if probabilities.shape[1] == 2:
        metrics["area_under_roc"] = area_under_roc(probabilities[:, 1], labels == 1)
    return metrics


def _card(
    name: str, recipe: Recipe, trained: Trained, data: Dataset, device: torch.device, seed: int
) -> dict[str, Any]:
    return {
        "name": name,
        "architecture": {"name": recipe.architecture, "kwargs": dict(recipe.kwargs)},
        "data": {
            "name": recipe.data,
            "source": data.source,
            "train_sha256": data.digest(),
            "rows": {"train": trained.rows, "validation": trained.validation_rows},
        },
        "preprocessing": recipe.preprocessing,
        "classes": list(data.classes),
        "training": {
            "settings": asdict(recipe.settings),
            "seed": seed,
            "epochs": trained.epochs,
            "best_epoch": trained.best.number,
            "validation_loss": trained.best.loss,
            "validation_accuracy": trained.best.accuracy,
            "seconds": round(trained.seconds, 1),
            "hardware": _hardware(device),
            "torch": torch.__version__,
        },
    }


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} CPU cores"
