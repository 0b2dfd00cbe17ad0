"""What transfer learning gains: fashion-cnn on digits with 200 labels, against the same network from scratch.

    python benchmarks/transfer.py

writes benchmarks/results/transfer.json. Each way of training has the learning rate, of three, that did best on
development rows: those of the training half that are not among the 200. The test rows are of other writers.

All ways take the same steps, and how many decides: the fewer, the more is gained, and with 45 steps training from
scratch is the better way, as these digits are easily learned.
"""

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from probe_models.datasets import digits
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.zoo import recipe_of
from probe_models.zoo.evaluation import over_seeds
from probe_models.zoo.transfer import learned
from torch import Tensor

RESULT = Path(__file__).parent / "results" / "transfer.json"
RECIPE = recipe_of("digits-cnn")
EPOCHS, RATES = (1, 2, 5, 10), (1e-3, 3e-3, 1e-2)
TUNING, SEEDS = range(100, 103), range(10)


@dataclass(frozen=True)
class Way:
    """What training begins with, and what it holds still."""

    replaced: tuple[str, ...]
    freeze: Mapping[str, float] = field(default_factory=dict)


WAYS = {
    "from scratch": Way(("*",)),
    "head only": Way(("head.*",), {"blocks.*": 1.0}),
    "staged unfreezing": Way(("head.*",), {"blocks.*": 0.3}),
    "nothing frozen": Way(("head.*",)),
}


def correct(way: Way, epochs: int, rate: float, seed: int, rows: Tensor) -> tuple[np.ndarray, float]:
    """Which rows are right after training, and the seconds of processors that it took."""
    network = build(RECIPE.architecture, RECIPE.kwargs)
    settings = replace(RECIPE.settings, epochs=epochs, learning_rate=rate, freeze=way.freeze)
    weights = learned("fashion-cnn", network, way.replaced)
    begun = time.process_time()
    device = torch.device("cpu")
    fit(network, digits.read("train"), settings, device=device, seed=seed, progress=lambda line: None, weights=weights)
    seconds = time.process_time() - begun
    with torch.no_grad():
        return (network(digits.images()[rows]).argmax(1) == digits.labels()[rows]).double().numpy(), seconds


def development() -> Tensor:
    """Rows of the training half whose labels training does not see."""
    rows = torch.arange(digits.HALF)
    return rows[~torch.isin(rows, digits.read("train").rows)]


def tuned(way: Way, epochs: int) -> float:
    """The rate that does best on development rows."""
    rows = development()
    return max(RATES, key=lambda rate: np.mean([correct(way, epochs, rate, seed, rows)[0].mean() for seed in TUNING]))


def measure(epochs: int) -> dict[str, Any]:
    test, found, right = digits.read("test").rows, {}, {}
    for name, way in WAYS.items():
        rate = tuned(way, epochs)
        runs = [correct(way, epochs, rate, seed, test) for seed in SEEDS]
        right[name] = np.stack([run[0] for run in runs])
        found[name] = {
            "rate": rate,
            "accuracy": spread(right[name].mean(1)),
            "cpu_seconds": round(float(np.median([run[1] for run in runs])), 2),
        }
        if name != "from scratch":
            gain = right[name] - right["from scratch"]
            # Over seeds the rows stay the same, over rows the seeds do: two questions, two intervals.
            found[name]["gain"] = spread(gain.mean(1)) | {"interval_95_over_rows": normal(gain.mean(0))}
        print(epochs, name, json.dumps(found[name]))
    return found


def spread(values: np.ndarray) -> dict[str, Any]:
    of = over_seeds([{"value": float(value)} for value in values])["value"]
    return {"mean": of["mean"], "interval_95": [of["low"], of["high"]], "seeds": [round(float(v), 4) for v in values]}


def normal(values: np.ndarray) -> list[float]:
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    return [float(values.mean() - half), float(values.mean() + half)]


def main() -> None:
    rows = len(digits.read("train"))
    batches = -(-round(rows * (1 - RECIPE.settings.validation)) // RECIPE.settings.batch_size)
    record = {
        "labels": rows,
        "test_rows": len(digits.read("test")),
        "steps": {str(batches * epochs): measure(epochs) for epochs in EPOCHS},
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}, {torch.get_num_threads()} torch threads",
        "torch": version("torch"),
    }
    RESULT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
