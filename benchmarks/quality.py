"""Metrics of explanations beside quantus: pixel flipping, faithfulness correlation, infidelity; times and answers.

    python -m benchmarks.quality

Both sides judge the same values of the same images with the same reference, a grey that no pixel has, and remove the
same subsets: quantus draws its own while it is timed, and is given ours when answers are compared.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.sides import Counted, in_turn, written
from probe import Model, zoo
from probe.explainers import Saliency
from probe.metrics import Deletion, FaithfulnessCorrelation, Infidelity
from probe.metrics.masked import Memory
from probe.results import Attribution

PEERS = ("quantus",)
GREY = 0.5  # no pixel is a half of 255
PIXELS, STEPS, SUBSETS, PATCH = 784, 28, 98, 4  # 49 patches of 4 x 4 pixels, twice: so quantus counts infidelity
SHARE = 157 / PIXELS
SLACK = 1e-4  # of answers, which are sums in float32
Side = Callable[[], Any]


def quantus_itself() -> Any:
    """Quantus, without zennit: it imports that where it is installed, and zennit needs torchvision."""
    sys.modules.setdefault("zennit", None)  # type: ignore[arg-type]  # None stands for a module that is not there
    import quantus

    return quantus


def drawn(images: int) -> tuple[Model, Counted, Attribution]:
    """The network, one that counts its rows, and signed values of the images without two that are equal."""
    plain, data = zoo.load("fashion-cnn"), zoo.data("fashion-mnist", split="test")[slice(0, images)]
    counted = Counted(plain.forward).eval()
    space = replace(plain.space, reference=torch.full_like(data.inputs[:1], GREY), features=None, names=())
    model = replace(plain, space=space, forward=counted)
    found = Saliency(output="logit")(model, data.inputs)
    noise = torch.rand(found.values.shape, generator=torch.Generator().manual_seed(0))
    return model, counted, replace(found, values=found.values + 1e-5 * noise)


def flipping(model: Model, found: Attribution, quantus: Any) -> tuple[dict[str, Side], Callable[[Any], Tensor]]:
    """The area under the curve of each image; ours also with one random order, which the metric needs."""
    metric = Deletion(steps=STEPS, random_orders=1)
    own = found.values.flatten(1).argsort(dim=1, descending=True, stable=True)[:, None]
    counts = (torch.arange(STEPS + 1) * PIXELS // STEPS).expand(len(own), -1)
    peer = quantus.PixelFlipping(
        features_in_step=PIXELS // STEPS, normalise=False, perturb_baseline=GREY, disable_warnings=True
    )

    def ours() -> Tensor:
        masked = Memory().masked(model, found.inputs, found.targets, "logit")
        curve, share = metric._part(masked, slice(0, len(own)), own, counts)
        return torch.trapezoid(curve[:, 0], share[:, 0], dim=1)

    def theirs() -> Tensor:
        curve = torch.tensor(asked(peer, model, found, found.values))
        first = model.target_outputs(found.inputs, found.targets, "logit")[:, None]
        return torch.trapezoid(torch.cat([first, curve], 1), dx=1 / STEPS, dim=1)

    return {
        "probe": ours,
        "probe with a random order": lambda: metric.measure(model, found)[:, 0],
        "quantus": theirs,
    }, (lambda side: side())


def correlation(model: Model, found: Attribution, quantus: Any) -> tuple[dict[str, Side], Callable[[Any], Tensor]]:
    """Pearson's correlation of each image over subsets of a fifth of the pixels."""
    metric = FaithfulnessCorrelation(samples=SUBSETS, share=SHARE)
    peer = quantus.FaithfulnessCorrelation(
        nr_runs=SUBSETS, subset_size=round(SHARE * PIXELS), normalise=False, perturb_baseline=GREY,
        return_aggregate=False, disable_warnings=True,
    )  # fmt: skip
    sizes = torch.full((1, SUBSETS), round(SHARE * PIXELS))
    subsets = metric._removed(torch.ones(1, PIXELS, dtype=torch.bool), sizes)[0].numpy()

    def compared(side: Side) -> Tensor:
        with choosing(np.repeat(subsets, len(found.inputs), 0)):
            return side()

    return {
        "probe": lambda: metric.measure(model, found)[:, 0],
        "quantus": lambda: torch.tensor(np.array(asked(peer, model, found, found.values))),
    }, compared


def infidelity(model: Model, found: Attribution, quantus: Any) -> tuple[dict[str, Side], Callable[[Any], Tensor]]:
    """The squared error of predicted changes of each image, over subsets of all sizes; quantus is handed the subsets.

    Its own patches are added to each other, so it would count other subsets.
    """
    metric = Infidelity(samples=SUBSETS, rescaled=False)
    share = torch.linspace(0, 1, SUBSETS, dtype=torch.float64)
    sizes = (1 + share * (PIXELS - 1)).round().long()[None]
    subsets = metric._removed(torch.ones(1, PIXELS, dtype=torch.bool), sizes)[0].numpy()
    flat, turn = found.inputs.flatten(1).numpy(), [0]

    def removed(arr: np.ndarray, indices: np.ndarray, **named: Any) -> np.ndarray:
        turn[0] += 1
        return np.where(subsets[(turn[0] - 1) % SUBSETS], np.float32(GREY), flat)

    peer = quantus.Infidelity(
        perturb_patch_sizes=[PATCH], n_perturb_samples=SUBSETS * PATCH**2 // PIXELS, perturb_func=removed,
        disable_warnings=True,
    )  # fmt: skip
    return {
        "probe": lambda: metric.measure(model, found)[:, 0],
        "quantus": lambda: torch.tensor(np.array(asked(peer, model, found, found.values))),
    }, (lambda side: side())


METRICS = {"pixel flipping": flipping, "faithfulness correlation": correlation, "infidelity": infidelity}


def asked(peer: Any, model: Model, found: Attribution, values: Tensor) -> Any:
    """What quantus says of the values, in one batch."""
    return peer(
        model=model.forward, x_batch=found.inputs.numpy(), y_batch=found.targets.numpy(), a_batch=values.numpy(),
        device="cpu", softmax=False, batch_size=len(found.inputs),
    )  # fmt: skip


@contextmanager
def choosing(subsets: np.ndarray) -> Iterator[None]:
    """Let numpy.random.choice give these subsets, one after the other."""
    before, given = np.random.choice, iter(subsets)
    np.random.choice = lambda *given_too, **named: np.flatnonzero(next(given))
    try:
        yield
    finally:
        np.random.choice = before


def beside(images: int, repeats: int) -> dict[str, dict[str, Any]]:
    """Of each metric the seconds and rows of both sides, and how far their answers are apart."""
    model, counted, found = drawn(images)
    quantus, told = quantus_itself(), {}
    for name, made in METRICS.items():
        sides, compared = made(model, found, quantus)
        answers, rows = {}, {}
        for side, call in sides.items():
            counted.rows = 0
            answers[side], rows[side] = compared(call).double(), counted.rows
        apart = float((answers["probe"] - answers["quantus"]).abs().max() / answers["quantus"].abs().max())
        _, seconds = in_turn(sides, repeats) if repeats else ({}, {side: {} for side in sides})
        told[name] = {
            "largest difference": apart,
            "sides": {side: seconds[side] | {"rows asked": rows[side]} for side in sides},
        }
        if repeats:
            told[name]["ratio"] = seconds["probe"]["seconds"] / seconds["quantus"]["seconds"]
    return told


def wrong(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Answers that are apart by more than rounding."""
    for name, each in found.items():
        if each["largest difference"] > SLACK:
            yield f"{name} differs from quantus' by {each['largest difference']:.2g} of its largest value"


def main(images: int = 50, repeats: int = 5) -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    found = beside(images, repeats)
    written(
        "quality",
        f"fashion-cnn, first {images} test images, medians of {repeats}; a ratio below 1 means that probe is faster",
        PEERS,
        {"metrics": found, "wrong": list(wrong(found))},
        load,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
