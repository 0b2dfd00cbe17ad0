"""How seconds and memory grow with rows, features, image size, classes and steps: slopes on log-log scales, to JSON.

    python -m benchmarks.growth             # quiet
    python -m benchmarks.growth --busy      # beside a busy loop on one core; writes growth-busy.json

Each point is a process of its own, so that its peak memory is its own, forked from one that has loaded torch and has
computed nothing yet; seconds are those of the processor, of one thread: the fewer of two calls after a first. Of slope
1, twice as much takes twice as long. `rows asked` counts what the network is asked, and does not depend on the
machine. `off` lists slopes that are above what they should be. Paths of gradients are one piece: how often they are
divided depends on where the network bends, not on a size.
"""

import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from benchmarks.sides import peak, written
from probe import Dataset, Model, Space
from probe.attacks import PGD, Square
from probe.contracts import Attack, Explainer
from probe.explainers import IntegratedGradients, KernelShap, Saliency
from probe.metrics import Deletion

BUSY = "while True: pass"
Size = dict[str, int]
USUAL: Size = {"rows": 50, "features": 40, "side": 0, "classes": 10, "steps": 20}


def net_of(size: Size) -> tuple[nn.Module, tuple[int, ...]]:
    """A network with random weights that reads a table, or an image where it has a side."""
    torch.manual_seed(0)
    classes = size["classes"]
    if side := size["side"]:
        layers = (
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(128, classes),
        )
        return nn.Sequential(*layers).eval(), (1, side, side)
    layers_ = nn.Linear(size["features"], 64), nn.ReLU(), nn.Linear(64, classes)
    return nn.Sequential(*layers_).eval(), (size["features"],)


METHODS: dict[str, Callable[[Size], Any]] = {
    "saliency": lambda size: Saliency(),
    "integrated_gradients": lambda size: IntegratedGradients(steps=size["steps"], pieces=1),
    "kernel_shap": lambda size: KernelShap(coalitions=40 * size["steps"]),
    "deletion": lambda size: Deletion(steps=size["steps"]),
    "pgd": lambda size: PGD(eps=0.01, steps=size["steps"]),
    "square": lambda size: Square(eps=0.01, max_queries=size["steps"]),
}
VARIED: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "rows": ((100, 200, 400, 800), tuple(METHODS)),
    "features": ((40, 80, 160, 320), tuple(METHODS)),
    "side": ((16, 32, 64), ("saliency", "integrated_gradients", "pgd", "square")),
    "classes": ((10, 40, 160), tuple(METHODS)),
    "steps": ((20, 40, 80, 160), ("integrated_gradients", "kernel_shap", "deletion", "pgd", "square")),
}

# What the rows asked should grow by at most, where it is known: one pass for each class, feature or pixel is a fault.
# Seconds have what all calls cost besides, and what grows with the network itself.
ROWS = {"rows": 1.0, "features": 0.0, "side": 0.0, "classes": 0.0, "steps": 1.0}
SECONDS = {"rows": 1.0, "features": 1.0, "side": 2.0, "classes": 1.0, "steps": 1.0}
SLACK = {"rows asked": 0.15, "processor seconds": 0.3}


def point(name: str, size: Size) -> dict[str, float]:
    """What a method takes at a size."""
    torch.set_num_threads(1)
    net, shape = net_of(size)
    source = torch.Generator().manual_seed(1)
    inputs = torch.rand(size["rows"], *shape, generator=source)
    space = Space(bounds=(0.0, 1.0), reference=torch.rand(1, *shape, generator=source))
    model = Model(forward=net, space=space, classes=tuple(map(str, range(size["classes"]))))
    labels = model.predict(inputs)
    method, data = METHODS[name](size), Dataset(inputs, labels)
    explained = Saliency()(model, data.inputs) if name == "deletion" else None

    def call() -> None:
        if explained is not None:
            method.measure(model, explained)
        elif isinstance(method, Attack):
            method(model, inputs, labels)
        else:
            assert isinstance(method, Explainer)
            method(model, inputs, labels)

    call()
    asked, spent = model.usage.forward, []
    for _ in range(2):
        started = time.process_time()
        call()
        spent.append(time.process_time() - started)
    return {
        "processor seconds": round(min(spent), 4),
        "rows asked": (model.usage.forward - asked) // 2,
        "peak MiB": peak(),
    }


def slope(sizes: list[int], values: list[float]) -> float:
    """The slope of the line of least squares through the logarithms."""
    x = torch.tensor([math.log(size) for size in sizes], dtype=torch.float64)
    y = torch.tensor([math.log(max(value, 1e-4)) for value in values], dtype=torch.float64)
    x = x - x.mean()
    return round(float((x * (y - y.mean())).sum() / x.square().sum()), 2)


def grown(name: str, varied: str, sizes: tuple[int, ...]) -> dict[str, Any]:
    """The points of one method, each in a process, and their slopes."""
    forked = multiprocessing.get_context("fork")
    found = []
    for each in sizes:
        with forked.Pool(1) as pool:
            found.append(pool.apply(point, (name, USUAL | {varied: each})))
    measured = ("processor seconds", "rows asked", "peak MiB")
    return {str(each): told for each, told in zip(sizes, found, strict=True)} | {
        "slopes": {what: slope([*sizes], [told[what] for told in found]) for what in measured}
    }


def off(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The slopes that are above what they should be."""
    for varied, methods in found.items():
        for name, told in methods.items():
            for what, most in (("rows asked", ROWS[varied]), ("processor seconds", SECONDS[varied])):
                if (slope_of := told["slopes"][what]) > most + SLACK[what]:
                    yield f"{what} of {name} by {varied}: slope {slope_of}, at most {most:g} expected"


def main(busy: str = "") -> None:
    if busy not in ("", "--busy"):
        raise SystemExit(f"python -m benchmarks.growth takes --busy or nothing, got {busy}")
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    loop = subprocess.Popen([sys.executable, "-c", BUSY]) if busy else None
    try:
        found = {
            varied: {name: grown(name, varied, sizes) for name in names} for varied, (sizes, names) in VARIED.items()
        }
    finally:
        if loop:
            loop.kill()
            loop.wait()
    usual = ", ".join(f"{value} {name}" for name, value in USUAL.items() if value)
    written(
        "growth-busy" if busy else "growth",
        f"a network with random weights, {usual} where they are not varied; images of `side` pixels a side",
        (),
        {"varied": found, "off": list(off(found))},
        load,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
