"""PGD with 20 steps beside torchattacks and foolbox: robust accuracy, evaluations and seconds, to JSON.

    python -m benchmarks.pgd

All start at the image itself, without random starts, and go at most 0.1 from it; the peers' step is 2.5 radii over the
number of steps. Robust accuracy is that of the network itself on the images that each returns.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from probe import Model, zoo
from probe.attacks import PGD

RESULTS = Path(__file__).parent / "results" / "pgd.json"
EPS, STEPS, NETWORKS = 0.1, 20, ("fashion-robust", "fashion-cnn")
PEERS = ("torchattacks", "foolbox")
Side = Callable[[Tensor, Tensor], Tensor]


class Counted(nn.Module):
    """A network that counts the rows that go through it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.rows = net, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.rows += len(inputs)
        return self.net(inputs)


def of_probe(model: Model, net: nn.Module) -> Side:
    attacked = replace(model, forward=net)
    return lambda images, labels: PGD(eps=EPS, steps=STEPS)(attacked, images, labels).perturbed


def of_torchattacks(model: Model, net: nn.Module) -> Side:
    import torchattacks

    return torchattacks.PGD(net, eps=EPS, alpha=2.5 * EPS / STEPS, steps=STEPS, random_start=False)


def of_foolbox(model: Model, net: nn.Module) -> Side:
    import foolbox

    attack = foolbox.attacks.LinfPGD(rel_stepsize=2.5 / STEPS, steps=STEPS, random_start=False)
    asked = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    return lambda images, labels: attack(asked, images, labels, epsilons=EPS)[1]


SIDES: dict[str, Callable[[Model, nn.Module], Side]] = {
    "probe": of_probe, "torchattacks": of_torchattacks, "foolbox": of_foolbox
}  # fmt: skip


def beside(name: str, images: int, repeats: int) -> dict[str, dict[str, Any]]:
    """What each side that is installed finds, in turn."""
    model, data = zoo.load(name), zoo.data("fashion-mnist", split="test")[slice(0, images)]
    counted = Counted(model.forward).eval()
    there = {side: make(model, counted) for side, make in SIDES.items() if side == "probe" or find_spec(side)}
    seconds: dict[str, list[float]] = {side: [] for side in there}
    found: dict[str, dict[str, Any]] = {}
    for _ in range(repeats):
        for side, attack in there.items():
            counted.rows, started = 0, time.perf_counter()
            moved = attack(data.inputs, data.labels).detach()
            seconds[side].append(round(time.perf_counter() - started, 4))
            rows = counted.rows
            with torch.no_grad():
                right = model.forward(moved).argmax(1) == data.labels
            found[side] = {
                "robust images": int(right.sum()),
                "images": images,
                "rows asked": rows,
                "furthest": round(float((moved - data.inputs).abs().max()), 6),
                "in bounds": bool((moved >= 0).all() and (moved <= 1).all()),
            }
    return {side: each | {"seconds": statistics.median(seconds[side])} for side, each in found.items()}


def main(images: int = 500, repeats: int = 5) -> None:
    torch.set_num_threads(2)
    load = round(os.getloadavg()[0], 1)
    record = {
        "load_before": load,
        "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads",
        "versions": {name: version(name) for name in ("torch", *PEERS) if find_spec(name)},
        "question": f"PGD, {STEPS} steps from the image, Linf {EPS}, first {images} test images, median of {repeats}",
        "networks": {name: beside(name, images, repeats) for name in NETWORKS},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
