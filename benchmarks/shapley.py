"""KernelShap against captum's on the 49 squares of a 28x28 image, in turn, in one process: time and error.

    python benchmarks/shapley.py

prints a table and writes benchmarks/results/shapley.json. The network's weights and the images come from a seed, so
nothing is downloaded; no square is black, so no square is known to be worth nothing.
"""

import json
import os
import statistics
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import captum.attr
import torch
from torch import Tensor, nn

from probe import Model, Space
from probe.explainers import KernelShap
from probe.space import squares

IMAGES, COALITIONS, LONG = 8, 1000, 100_000
RESULTS = Path(__file__).parent / "results" / "shapley.json"


def network() -> nn.Module:
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()]
    module = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10))
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in (p for p in module.parameters() if p.ndim > 1):
            weight.normal_(0, 2 / weight[0].numel() ** 0.5, generator=source)
    return module.eval()


def ours(model: Model, images: Tensor, targets: Tensor, coalitions: int, seed: int) -> Tensor:
    return KernelShap(coalitions=coalitions, seed=seed)(model, images, targets).by_feature()


def captums(model: Model, images: Tensor, targets: Tensor, per_eval: int, seed: int) -> Tensor:
    """Values of each square of one image; captum gives a square's value to each of its pixels."""
    torch.manual_seed(seed)
    mask = model.space.features[None]
    values = captum.attr.KernelShap(model.forward).attribute(
        images, baselines=model.space.reference, target=targets, feature_mask=mask,
        n_samples=COALITIONS, perturbations_per_eval=per_eval,
    )  # fmt: skip
    return model.space.by_feature(values) / 16


METHODS = {"probe": partial(ours, coalitions=COALITIONS)} | {
    f"captum, {n} at a time": partial(captums, per_eval=n) for n in (1, 64, 256, 1000)
}


def measure(model: Model, images: Tensor, targets: Tensor, truth: Tensor) -> dict[str, dict[str, list[float]]]:
    """Seconds and relative error of each method on each image, all methods in turn before the next image."""
    for method in METHODS.values():
        method(model, images[:1], targets[:1], seed=0)
    found: dict[str, dict[str, list[float]]] = {name: {"seconds": [], "error": []} for name in METHODS}
    for i in range(len(images)):
        for name, method in METHODS.items():
            start = time.perf_counter()
            values = method(model, images[i : i + 1], targets[i : i + 1], seed=i)
            found[name]["seconds"].append(time.perf_counter() - start)
            found[name]["error"].append(float((values[0] - truth[i]).norm() / truth[i].norm()))
    return found


def report(found: dict[str, dict[str, list[float]]], together: float) -> dict[str, object]:
    mine = found["probe"]["seconds"]
    table = {}
    for name, of in found.items():
        ratios = [a / b for a, b in zip(mine, of["seconds"], strict=True)]
        table[name] = {
            "seconds, median": statistics.median(of["seconds"]),
            "our time as a share, median": statistics.median(ratios),
            "our time as a share, range": [min(ratios), max(ratios)],
            "relative error, median": statistics.median(of["error"]),
            "relative error, range": [min(of["error"]), max(of["error"])],
        }
    return {
        "question": f"{COALITIONS} coalitions of 49 squares, 28x28 CNN, one black reference, float32",
        "images": IMAGES,
        "truth": f"KernelShap with {LONG} coalitions of another seed",
        "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads",
        "load before": os.getloadavg()[0],
        "versions": {name: version(name) for name in ("torch", "captum", "numpy")},
        "methods": table,
        "probe, all images in one call, seconds per image": together,
    }


def main() -> None:
    torch.set_num_threads(2)
    source = torch.Generator().manual_seed(1)
    images = 0.1 + 0.9 * torch.rand(IMAGES, 1, 28, 28, generator=source)
    space = Space(features=squares(28, 28, 4)[None], reference=torch.zeros(1, 1, 28, 28))
    model = Model(forward=network(), space=space)
    targets = model.predict(images)
    truth = ours(model, images, targets, coalitions=LONG, seed=10_000)
    found = measure(model, images, targets, truth)
    start = time.perf_counter()
    ours(model, images, targets, coalitions=COALITIONS, seed=0)
    summary = report(found, (time.perf_counter() - start) / IMAGES)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
