"""How close KernelShap is at equal calls with and without products of three features, and its time at equal error.

    python benchmarks/shapley_errors.py [CASE ...]

adds both, for all cases unless some are named, to benchmarks/results/shapley.json. Errors are the norm of a row's
difference to the truth, relative to that of the truth, and rows and seeds are told; peers run in turn with probe, row
by row, in one process.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import captum.attr
import numpy as np
import shap
import torch
from torch import Tensor

from probe import Model, zoo
from probe.explainers import KernelShap
from probe.explainers.alike import differs_from_reference
from probe.explainers.coalitions import coalition_values
from probe.explainers.shapley import _regress, shapley_design

RESULTS = Path(__file__).parent / "results" / "shapley.json"
ROWS, SEEDS = 4, 3
CALLS = (120, 240, 480, 960, 1920)
BUDGETS = (110, 182, 200, 250, 300, 350, 400, 450, 500, 600, 900, 1300, 2146)  # of which the first as close is timed

Peer = Callable[[Tensor, Tensor, int], Tensor]


def singles(model: Model, x: Tensor, targets: Tensor, coalitions: int, seed: int) -> Tensor:
    """The values of a regression on single features from the same coalitions."""
    masks, weights = shapley_design(model.space.feature_count(x), coalitions, seed)
    values = coalition_values(model, x, targets, masks, "logit")
    return _regress(masks, weights, values, differs_from_reference(model.space, x))


def off(found: Tensor, truth: Tensor) -> Tensor:
    """The relative error of each row."""
    return (found.double() - truth).norm(dim=1) / truth.norm(dim=1)


def equal_calls(model: Model, x: Tensor, targets: Tensor, truth: Tensor) -> dict[str, Any]:
    """Root mean square errors over rows and seeds, and the share of values within 1.96 standard errors."""
    found = {}
    for calls in (each for each in CALLS if each >= 2 * model.space.feature_count(x)):
        ours, before, held = [], [], []
        for seed in range(SEEDS):
            drawn = KernelShap(coalitions=calls, seed=seed)(model, x, targets)
            ours.append(off(drawn.by_feature(), truth))
            before.append(off(singles(model, x, targets, calls, seed), truth))
            if (errors := drawn.errors_by_feature()) is not None:
                some = differs_from_reference(model.space, x)
                held.append(((drawn.by_feature() - truth).abs() <= 1.96 * errors)[some].double().mean())
        one, other = (float(torch.stack(each).square().mean().sqrt()) for each in (before, ours))
        covered = float(torch.stack(held).mean()) if held else None
        found[str(calls)] = {"single features": one, "triples": other, "times": one / other, "covered": covered}
        print(calls, found[str(calls)], flush=True)
    return found


def equal_error(model: Model, x: Tensor, targets: Tensor, truth: Tensor, peer: Peer) -> dict[str, Any]:
    """The time of the smallest of `BUDGETS` whose median error is not above the peer's, over the peer's time."""

    def timed(ask: Callable[[int], Tensor]) -> tuple[float, list[float]]:
        ask(0)
        seconds, errors = [], []
        for row in range(len(x)):
            start = time.perf_counter()
            values = ask(row)
            seconds.append(time.perf_counter() - start)
            errors.append(float(off(values, truth[row : row + 1])[0]))
        return median(errors), seconds

    theirs = timed(lambda row: peer(x[row : row + 1], targets[row : row + 1], row))
    for calls in (each for each in BUDGETS if each >= 2 * model.space.feature_count(x)):
        method = KernelShap(coalitions=calls)

        def ours(row: int, method: KernelShap = method) -> Tensor:
            asked = replace(method, seed=row)
            return asked(model, x[row : row + 1], targets[row : row + 1]).by_feature()

        error, seconds = timed(ours)
        if error <= theirs[0] or calls == BUDGETS[-1]:
            break
    shares = [a / b for a, b in zip(seconds, theirs[1], strict=True)]
    found = {"coalitions": calls, "error": error, "peer's error": theirs[0], "share of time": median(shares)}
    print(found, flush=True)
    return found | {"seconds": median(seconds), "peer's seconds": median(theirs[1]), "shares": shares}


def by_captum(model: Model) -> Peer:
    def ask(x: Tensor, targets: Tensor, seed: int) -> Tensor:
        torch.manual_seed(seed)
        mask = model.space.features[None]
        asked = {"baselines": model.space.reference, "target": targets, "feature_mask": mask, "n_samples": 1000}
        return model.space.by_feature(captum.attr.KernelShap(model.forward).attribute(x, **asked)) / 16

    return ask


def by_shap(model: Model, calls: int, shape: torch.Size, features: int) -> Peer:
    """Of shap's KernelExplainer; squares of an image are its columns of zeros and ones."""

    def ask(x: Tensor, targets: Tensor, seed: int) -> Tensor:
        np.random.seed(seed)  # noqa: NPY002  shap draws from the global state
        squares = features < x[0].numel()

        def answer(table: np.ndarray) -> np.ndarray:
            rows = torch.as_tensor(table, dtype=x.dtype)
            shown = torch.where(model.space.coordinate_mask(rows > 0, x), x, model.space.reference) if squares else rows
            with torch.no_grad():
                return model.logits(shown.view(-1, *shape))[:, int(targets[0])].numpy()

        background = np.zeros((1, features)) if squares else model.space.reference.numpy()
        row = np.ones((1, features)) if squares else x.numpy()
        kernel = shap.KernelExplainer(answer, background)
        return torch.as_tensor(np.asarray(kernel.shap_values(row, nsamples=calls, l1_reg=False, silent=True)))

    return ask


def main() -> None:
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    clothes, table, people = zoo.load("fashion-cnn"), zoo.load("adult-mlp"), zoo.data("adult")
    images, rows = zoo.data("fashion-mnist").sample(ROWS, 0).inputs, people.sample(ROWS, 0).inputs
    space = replace(table.space, features=None, names=(), kinds=(), form="", reference=people.sample(100, 1).inputs)
    columns = Model(forward=table.forward, space=space, classes=table.task.names)
    cases = {
        "fashion-cnn, 49 squares": (clothes, images, 16_000),
        "adult-mlp, 12 features, 50 references": (table, rows, 4094),
        "adult-mlp, 91 free columns, 100 references": (columns, rows, 6000),
    }
    record: dict[str, Any] = json.loads(RESULTS.read_text())
    drawn = f"{ROWS} rows, {SEEDS} seeds"
    machine = f"{os.cpu_count()} CPU cores, one thread, load {load:.1f} at the start"
    for name in sys.argv[1:] or cases:
        model, x, long = cases[name]
        targets = model.predict(x)
        truth = KernelShap(coalitions=long, seed=10_000)(model, x, targets).by_feature().double()
        said = {"rows and seeds": drawn, "truth": f"{long} coalitions of another seed"}
        print(name)
        record.setdefault("equal calls", {})[name] = said | equal_calls(model, x, targets, truth)
        peers: dict[str, Peer] = {}
        if model is clothes:
            peers["captum at 1,000, one a call"] = by_captum(model)
            peers["shap at 1,000"] = by_shap(model, 1000, x.shape[1:], 49)
        if model is columns:
            peers["shap at 2,146"] = by_shap(model, 2146, x.shape[1:], 91)
        for peer, ask in peers.items():
            found = said | {"machine": machine} | equal_error(model, x, targets, truth, ask)
            record.setdefault("equal error", {})[f"{name}, beside {peer}"] = found
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
