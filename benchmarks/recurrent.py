"""A training step of recurrent networks, by torch's own layers and with the units written out; to JSON.

One thread, forward and backward at the sizes of the zoo, in pairs that alternate which of the two goes first. Seconds
are the processor's, which change little where others use the machine:

    python benchmarks/recurrent.py

It writes benchmarks/results/recurrent.json.
"""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from probe_models.networks import build, start
from probe_models.networks.network import Network, logits_of
from probe_models.networks.recurrent import train_fast
from probe_models.zoo.recipes import RECIPES
from torch import Tensor
from torch.nn.functional import cross_entropy

from probe import zoo

RESULT = Path(__file__).parent / "results" / "recurrent.json"
NAMES = ("reviews-lstm", "reviews-gru", "ecg-gru")
PAIRS = 60


def seconds(network: Network, inputs: Tensor, labels: Tensor, *, fast: bool) -> float:
    """Processor seconds of a step, forward and backward."""
    train_fast(network, fast=fast)
    network.zero_grad()
    started = time.process_time()
    cross_entropy(logits_of(network, inputs), labels).backward()  # type: ignore[no-untyped-call]  # torch leaves it out
    return time.process_time() - started


def measure(name: str) -> dict[str, Any]:
    """What a step of one network takes by both."""
    recipe = RECIPES[name]
    data = zoo.data(recipe.data, "train")[: recipe.settings.batch_size]
    network = build(recipe.architecture, recipe.kwargs)
    start(network, data.inputs, torch.Generator().manual_seed(0))
    network.train()
    found: dict[bool, list[float]] = {True: [], False: []}
    for pair in range(-3, PAIRS):  # the first are not counted
        for fast in (pair % 2 == 0, pair % 2 == 1):
            network.reseed(pair + 3)
            took = seconds(network, data.inputs, data.labels, fast=fast)
            if pair >= 0:
                found[fast].append(took)
    ratios = [slow / quick for slow, quick in zip(found[False], found[True], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    return {
        "rows": list(data.inputs.shape),
        "milliseconds_built_in": round(1000 * median(found[True]), 2),
        "milliseconds_written_out": round(1000 * median(found[False]), 2),
        "times_faster": round(median(ratios), 2),
        "quartiles": [round(low, 2), round(high, 2)],
    }


def main() -> None:
    torch.set_num_threads(1)
    record = {
        "question": f"processor seconds of a training step, median of {PAIRS} pairs",
        "torch": version("torch"),
        "machine": f"{platform.machine()}, 1 thread",
        "networks": {name: measure(name) for name in NAMES},
    }
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
