"""KernelShap, Lime, IntegratedGradients, Deletion and Insertion beside their peers, in turn, in one process: to JSON.

    python benchmarks/explainers.py

Seconds, the ratio to the peer (below 1 is faster), and the rows that the model was asked. Run it on a quiet machine.
"""

import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import shap
import torch
from lime.lime_tabular import LimeTabularExplainer

from probe import Dataset, Model, zoo
from probe.explainers import InputXGradient, IntegratedGradients, KernelShap, Lime, Saliency
from probe.explainers.alike import differs_from_reference
from probe.explainers.coalitions import coalition_values, every_subset
from probe.explainers.shapley import shapley_design
from probe.explainers.surrogate import expected_draws, kernel_weights, lime_masks, ridge_slopes
from probe.metrics import Deletion, Insertion
from probe.metrics.masked import Memory

RESULTS = Path(__file__).parent / "results" / "explainers.json"


def in_turn(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each side, one after the other in each repeat."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            if repeat:  # the first warms up
                spent[name].append(time.perf_counter() - started)
    return {name: statistics.median(of) for name, of in spent.items()}


def compared(ours: Callable[[], object], peer: Callable[[], object], model: Model, repeats: int) -> dict[str, Any]:
    before = model.usage.forward
    ours()
    rows = model.usage.forward - before
    seconds = in_turn({"ours": ours, "peer": peer}, repeats)
    return seconds | {"ratio": seconds["ours"] / seconds["peer"], "rows asked": rows}


def as_features(model: Model, rows: torch.Tensor) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """A table with a column for each feature, categories by number, and the model's probabilities over such tables."""
    owner = model.space.features
    assert owner is not None
    members = [(owner == f).nonzero()[:, 0] for f in range(int(owner.max()) + 1)]
    table = torch.stack([rows[:, m].argmax(1).float() if len(m) > 1 else rows[:, m[0]] for m in members], 1)

    def probabilities(table: np.ndarray) -> np.ndarray:
        wide, given = torch.zeros(len(table), owner.numel()), torch.as_tensor(table, dtype=torch.float32)
        for f, m in enumerate(members):
            if len(m) > 1:
                wide[torch.arange(len(table)), m[given[:, f].long()]] = 1.0
            else:
                wide[:, m[0]] = given[:, f]
        return model.logits(wide).softmax(-1).numpy()

    return table.numpy(), probabilities


def shapley(rows: int, repeats: int) -> dict[str, Any]:
    """Adult, 12 features, 100 background rows, 1,000 coalitions, and all of them."""
    model, data = zoo.load("adult-mlp"), zoo.data("adult")
    model = replace(model, space=replace(model.space, reference=data.sample(100, 1).inputs))
    x = data.sample(rows, 0).inputs
    assert model.space.reference is not None
    background, probabilities = as_features(model, model.space.reference)
    table, _ = as_features(model, x)
    kernel = shap.KernelExplainer(probabilities, background)

    def peer() -> object:
        return kernel.shap_values(table, nsamples=1000, l1_reg=False, silent=True)

    return {
        name: compared(lambda method=method: method(model, x), peer, model, repeats)
        for name, method in (("1,000 coalitions", KernelShap(coalitions=1000)), ("all, the default", KernelShap()))
    }


def tabular(model: Model, data: Dataset, x: torch.Tensor) -> Callable[[], np.ndarray]:
    """lime with 5,000 samples: the coefficients of the 12 features of each row."""
    train, probabilities = as_features(model, data.sample(2000, 1).inputs)
    table, _ = as_features(model, x)
    categories = [i for i, kind in enumerate(model.space.kinds) if kind == "category"]
    explainer = LimeTabularExplainer(train, categorical_features=categories, random_state=0)

    def peer() -> np.ndarray:
        found = [explainer.explain_instance(row, probabilities, num_features=12, num_samples=5000) for row in table]
        return np.array([[slope for _, slope in sorted(each.as_map()[1])] for each in found])

    return peer


def lime(rows: int, repeats: int) -> dict[str, Any]:
    """Adult, 12 features, 5,000 samples: the default reference of 50 rows, and one row."""
    model, data = zoo.load("adult-mlp"), zoo.data("adult")
    x = data.sample(rows, 0).inputs
    peer = tabular(model, data, x)
    single = replace(model, space=replace(model.space, reference=model.space.baseline(x)))
    return {
        name: compared(lambda asked=asked: Lime(samples=5000)(asked, x), peer, asked, repeats)
        for name, asked in (("default reference", model), ("one reference", single))
    }


def lime_at_equal_error(rows: int, repeats: int, seeds: int = 20) -> dict[str, Any]:
    """Adult, 12 features, one reference: the fewest samples as close to the limit as lime's 5,000 draws.

    The limit is the same fit over all 4,096 coalitions. Errors are root mean squares over rows and seeds, as shares of
    the length of the limit. lime's own coefficients are of other features, such as "age above 48": they are compared
    with their mean over seeds, and the fewest samples for that error are timed too.
    """
    model, data = zoo.load("adult-mlp"), zoo.data("adult")
    x = data.sample(rows, 0).inputs
    single = replace(model, space=replace(model.space, reference=model.space.baseline(x)))
    every, active = every_subset(12), differs_from_reference(single.space, x)
    values, kernel = coalition_values(single, x, single.predict(x), every, "logit"), kernel_weights(every, active, 0.25)
    limit = ridge_slopes(every, kernel * (5000 / 4096), values, 1.0, active)

    def error(found: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
        """The error of draws: the coalitions' numbers, and how many of 5,000 each stands for."""
        slopes = [ridge_slopes(every[at], kernel[:, at] * draws, values[:, at], 1.0, active) for at, draws in found]
        off = torch.stack(slopes) - limit
        return float((off.square().sum(2) / limit.square().sum(1)).mean().sqrt())

    def drawn(samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        masks = lime_masks(12, samples, seed)
        return (masks.long() * 2 ** torch.arange(12)).sum(1), expected_draws(masks, samples) * (5000 / samples)

    source = torch.Generator().manual_seed(0)
    apart = error([(torch.randint(4096, (5000,), generator=source), torch.ones(5000)) for _ in range(seeds)])
    ours = {n: error([drawn(n, seed) for seed in range(seeds)]) for n in range(100, 2001, 100)}
    peer = tabular(model, data, x)
    coefficients = np.stack([peer() for _ in range(min(seeds, 8))])
    spread = coefficients - coefficients.mean(0)
    theirs = (spread**2).sum(2) / (coefficients.mean(0) ** 2).sum(1) * len(spread) / (len(spread) - 1)
    found: dict[str, Any] = {"seeds": seeds}
    for name, most in (("5,000 independent draws", apart), ("lime's own coefficients", float(theirs.mean() ** 0.5))):
        samples = min(n for n, off in ours.items() if off <= most)
        method = Lime(samples=samples, ridge=samples / 5000)
        seconds = compared(lambda method=method: method(single, x), peer, single, repeats)
        found[f"error of {name}"] = seconds | {"error": most, "samples": samples, "error of ours": ours[samples]}
    return found


def designs() -> dict[str, Any]:
    """Seconds, and the growth of the peak memory in MiB, of drawing coalitions."""
    found = {}
    for features, budget in ((14, 4000), (16, 10_000), (18, 20_000), (20, 20_000)):
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        shapley_design(features, budget, 0)
        seconds = time.perf_counter() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
        found[f"{features} features, {budget} coalitions"] = {"seconds": seconds, "MiB": grown}
    return found


def integrated(rows: int) -> dict[str, Any]:
    """Backward rows and residual on Adult, as an audit asks them."""
    model, data = zoo.load("adult-mlp"), zoo.data("adult")
    inputs = model.check(data.inputs[data.draw(rows, 0)])
    targets, before, started = model.predict(inputs), model.usage.backward, time.perf_counter()
    parts = [IntegratedGradients()(model, inputs[i : i + 10], targets[i : i + 10]).values for i in range(0, rows, 10)]
    seconds = time.perf_counter() - started
    baseline = model.space.baseline(inputs).expand_as(inputs)
    promised = model.target_outputs(inputs, targets, "logit") - model.target_outputs(baseline, targets, "logit")
    residual = (torch.cat(parts).flatten(1).sum(1) - promised).abs()
    return {
        "seconds": seconds,
        "backward rows": model.usage.backward - before,
        "mean residual": float(residual.mean()),
        "residual share": float(residual.sum() / promised.abs().sum()),
    }


def curves(images: int) -> dict[str, Any]:
    """Rows that Deletion and Insertion of five explainers ask, with a memory as in an audit and without."""
    model, data = zoo.load("fashion-cnn"), zoo.data("fashion-mnist")
    x = data.sample(images, 0).inputs
    found = [method(model, x) for method in (Saliency(), InputXGradient(), IntegratedGradients(), KernelShap(), Lime())]
    asked = {}
    for name, memory in (("each by itself", None), ("together", Memory())):
        before, started = model.usage.forward, time.perf_counter()
        for attribution in found:
            for metric in (Deletion(), Insertion()):
                metric.measure(model, attribution, memory)
        asked[name] = {"rows": model.usage.forward - before, "seconds": time.perf_counter() - started}
    return asked


def main(rows: int = 6, repeats: int = 3, audited: int = 100) -> None:
    torch.set_num_threads(2)
    record = {
        "load_before": round(os.getloadavg()[0], 1),
        "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads",
        "versions": {name: version(name) for name in ("torch", "shap", "lime")},
        "designs": designs(),
        "KernelShap beside shap.KernelExplainer": shapley(rows, repeats),
        "Lime beside lime": lime(rows, repeats),
        "Lime beside lime at equal error": lime_at_equal_error(rows, repeats),
        "IntegratedGradients": integrated(audited),
        "Deletion and Insertion of five explainers": curves(10),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
