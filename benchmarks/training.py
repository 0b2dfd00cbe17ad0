"""How long training takes and how good a model it makes: seconds, rows a second, accuracy on the test split; to JSON.

Run it on a quiet machine:

    python benchmarks/training.py                     # what has a goal on two CPU cores
    python benchmarks/training.py --device cuda       # what has a goal on a GPU
    python benchmarks/training.py fashion-vit ...     # these recipes, as they are

It writes benchmarks/results/training-DEVICE.json. The seconds begin before the data is read and end when the best
weights are in the network; the test split is read later. Processor seconds are summed over threads: they change little
where others use the machine.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from probe_models.datasets import reader
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.zoo import recipe_of

from probe import from_module
from probe.statistics import wilson

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Goal:
    """An accuracy that is to be reached in so many seconds, and what is changed in the recipe for it."""

    accuracy: float
    seconds: float
    changes: Mapping[str, Any] = field(default_factory=dict)


GOALS = {
    "cpu": {"adult-mlp": Goal(0.86, 30), "fashion-cnn": Goal(0.915, 180, {"epochs": 6})},
    "cuda": {"fashion-cnn": Goal(0.925, 15), "fashion-resnet": Goal(0.94, 60)},
}


def measure(name: str, goal: Goal | None, device: torch.device) -> dict[str, Any]:
    """Train once, then judge on the test split."""
    recipe = recipe_of(name)
    settings = replace(recipe.settings, **(goal.changes if goal else {}))
    load, begun, processor = os.getloadavg()[0], time.perf_counter(), time.process_time()
    data = reader(recipe.data)
    network = build(recipe.architecture, recipe.kwargs)
    trained = fit(network, data.read("train"), settings, device=device)
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    test = data.read("test")
    model = from_module(network, data.space(), data.CLASSES, name)
    correct = model.predict(model.check(test.inputs)).cpu() == test.labels
    accuracy, interval = float(correct.double().mean()), [float(end) for end in wilson(int(correct.sum()), len(test))]
    found = {
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "rows_per_second": round(trained.rows * trained.epochs / trained.seconds),
        "epochs": trained.epochs,
        "accuracy": accuracy,
        "accuracy_interval_95": interval,
        "load_before": round(load, 1),
    }
    if goal:
        met = accuracy >= goal.accuracy and seconds <= goal.seconds
        found["goal"] = asdict(goal) | {"met": met}
    print(name, json.dumps(found))
    return found


def hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, {torch.get_num_threads()} torch threads"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a recipe of the zoo")
    parser.add_argument("--device", default="cpu", choices=GOALS)
    asked = parser.parse_args()
    device, goals = torch.device(asked.device), GOALS[asked.device]
    cases = {name: goals.get(name) for name in asked.names or goals}
    record = {
        "models": {name: measure(name, goal, device) for name, goal in cases.items()},
        "machine": hardware(device),
        "python": platform.python_version(),
        "torch": version("torch"),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"training-{asked.device}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
