"""KernelShap against captum's on the 49 squares of a 28x28 image, in turn, in one process: time and error.

    python benchmarks/shapley.py

prints a table for each network and writes benchmarks/results/shapley.json. One is the zoo's; the other has weights and
images from a seed, with no black square, so that none is known to be worth nothing.
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

from probe import Model, Space, zoo
from probe.explainers import KernelShap
from probe.features import squares

IMAGES, COALITIONS, FEW, LONG = 6, 1000, 250, 20_000
FEWER = f"probe, {FEW} coalitions"  # about as far from the truth as captum is with COALITIONS
RESULTS = Path(__file__).parent / "results" / "shapley.json"


def network() -> nn.Module:
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()]
    module = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10))
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():  # the biases too, which a new layer draws from the global state
            parameter.normal_(0, 2 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1, generator=source)
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


METHODS = {"probe": partial(ours, coalitions=COALITIONS), FEWER: partial(ours, coalitions=FEW)} | {
    f"captum, {n} at a time": partial(captums, per_eval=n) for n in (1, 64, 256, 1000)
}


def measure(model: Model, images: Tensor, targets: Tensor, truth: Tensor) -> dict[str, dict[str, list[float]]]:
    """Time and relative error of each method on each image, all methods in turn before the next image.

    Processor time, summed over threads, is told too: it changes little where others use the machine.
    """
    for method in METHODS.values():
        method(model, images[:1], targets[:1], seed=0)
    found: dict[str, dict[str, list[float]]] = {name: {"seconds": [], "processor": [], "error": []} for name in METHODS}
    for i in range(len(images)):
        for name, method in METHODS.items():
            # The first call after a switch of methods also pays for waking threads; it is not timed, for any of them.
            method(model, images[i : i + 1], targets[i : i + 1], seed=i)
            start, processor = time.perf_counter(), time.process_time()
            values = method(model, images[i : i + 1], targets[i : i + 1], seed=i)
            found[name]["seconds"].append(time.perf_counter() - start)
            found[name]["processor"].append(time.process_time() - processor)
            found[name]["error"].append(float((values[0] - truth[i]).norm() / truth[i].norm()))
    return found


def summary(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def compare(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """For each method: its measures, and the share of its time that probe takes on the same image."""
    table = {}
    for name, of in found.items():
        shares = {
            f"{mine}: share of {clock}": [a / b for a, b in zip(found[mine][clock], of[clock], strict=True)]
            for mine in ("probe", FEWER)
            for clock in ("seconds", "processor")
        }
        table[name] = {measure: summary(values) for measure, values in (of | shares).items()}
    return table


def report(table: dict[str, dict[str, dict[str, float]]]) -> None:
    columns = ("seconds", "error", "probe: share of seconds", f"{FEWER}: share of seconds")
    print(f"{'':24}" + "".join(f"{column:>40}" for column in columns))
    for name, of in table.items():
        cells = [f"{of[c]['median']:.3f} [{of[c]['low']:.3f}, {of[c]['high']:.3f}]" for c in columns]
        print(f"{name:24}" + "".join(f"{cell:>40}" for cell in cells))


def run(model: Model, images: Tensor) -> dict[str, dict[str, dict[str, float]]]:
    targets = model.predict(images)
    truth = ours(model, images, targets, coalitions=LONG, seed=10_000)
    return compare(measure(model, images, targets, truth))


def main() -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    source = torch.Generator().manual_seed(1)
    random = 0.1 + 0.9 * torch.rand(IMAGES, 1, 28, 28, generator=source)
    space = Space(features=squares(28, 28, 4)[None], reference=torch.zeros(1, 1, 28, 28))
    clothes = zoo.data("fashion-mnist").sample(IMAGES, 0).inputs
    cases = {
        "fashion-cnn on clothes": (zoo.load("fashion-cnn"), clothes),
        "two convolutions, weights and images from a seed": (Model(forward=network(), space=space), random),
    }
    tables = {}
    for name, (model, images) in cases.items():
        print(name)
        tables[name] = run(model, images)
        report(tables[name])
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}  # shapley_errors.py adds to the same file
    record = kept | {
        "question": f"{COALITIONS} coalitions of 49 squares of 28x28 images, one black reference, {IMAGES} images",
        "truth": f"KernelShap with {LONG} coalitions of another seed",
        "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads, load {load:.1f} at the start",
        "versions": {name: version(name) for name in ("torch", "captum", "numpy")},
        "networks": tables,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
