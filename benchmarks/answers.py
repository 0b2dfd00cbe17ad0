"""Whether probe and its peers give the same answers where they compute the same: the short form of the benchmark.

It measures no time, so it can run on a busy machine. A peer that is not installed is left out, and said to be.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import torch

import probe
from benchmarks import bounds, images, pgd, quality
from probe import zoo
from probe.explainers import InputXGradient, IntegratedGradients, Saliency

FEW = 12  # images
SLACK = 1  # image that ours may leave standing where a peer's search finds another answer


def gradients() -> Iterator[str]:
    """Gradients beside captum's."""
    from captum import attr

    model, data = zoo.load("fashion-cnn"), zoo.data("fashion-mnist", split="test")[slice(0, FEW)]
    targets = model.predict(data.inputs)
    for ours, theirs in ((Saliency(), attr.Saliency), (InputXGradient(), attr.InputXGradient)):
        found = theirs(model.forward).attribute(data.inputs.clone().requires_grad_(), target=targets).detach()
        if not torch.allclose(ours(model, data.inputs, targets).values.abs(), found.abs(), atol=1e-6):
            yield f"{ours.name()} differs from captum's"
    zero = torch.zeros_like(data.inputs)
    whole = replaced(model, torch.zeros_like(data.inputs[:1]))
    found = attr.IntegratedGradients(model.forward).attribute(data.inputs, zero, target=targets, n_steps=200)
    mine = IntegratedGradients(steps=200)(whole, data.inputs, targets).values
    if float((mine - found).norm() / found.norm()) > 0.05:
        yield "integrated_gradients is further than 5 % from captum's"


def rates() -> Iterator[str]:
    """Rates of groups beside fairlearn's."""
    from fairlearn.metrics import MetricFrame, selection_rate

    source = np.random.default_rng(0)
    labels, said, group = source.integers(2, size=400), source.integers(2, size=400), source.choice(["a", "b"], 400)
    theirs = MetricFrame(metrics=selection_rate, y_true=labels, y_pred=said, sensitive_features=group).by_group
    import pandas as pd

    table = probe.bias.audit(labels, said, pd.DataFrame({"group": group}), favourable=1).groups.set_index("group")
    for name, rate in theirs.items():
        ours = float(table["selection_rate"][name])
        if abs(ours - rate) > 1e-12:
            yield f"the selection rate of {name} differs from fairlearn's"


def attacks() -> Iterator[str]:
    """PGD beside whichever of torchattacks and foolbox is there."""
    for name in pgd.NETWORKS:
        yield from judged(name, pgd.beside(name, FEW, 1))


def judged(name: str, found: dict[str, dict[str, object]]) -> Iterator[str]:
    """What is wrong with what the sides found."""
    ours = found["probe"]
    if float(str(ours["furthest"])) > pgd.EPS + 1e-5 or not ours["in bounds"]:
        yield f"PGD on {name} leaves its ball or the bounds"
    for side, each in found.items():
        if int(str(ours["robust images"])) > int(str(each["robust images"])) + SLACK:
            yield f"PGD on {name} leaves {ours['robust images']} images standing, {side} {each['robust images']}"


def metrics() -> Iterator[str]:
    """Metrics of explanations beside quantus."""
    yield from quality.wrong(quality.beside(2, 0))


def explanations() -> Iterator[str]:
    """Explanations of images beside captum's."""
    same = ("smooth_grad", "grad_cam", "lrp", "occlusion")
    yield from images.wrong({name: images.beside(name, 2, 0) for name in same})


def certificates() -> Iterator[str]:
    """Bounds of a network beside auto_LiRPA's."""
    yield from bounds.wrong({"residual": bounds.beside("residual", 2, 0, rows=300)})


CHECKS: dict[Callable[[], Iterator[str]], tuple[str, ...]] = {
    gradients: ("captum",), rates: ("fairlearn",), attacks: pgd.PEERS, metrics: quality.PEERS,
    certificates: bounds.PEERS, explanations: ("captum",),
}  # fmt: skip


def wrong() -> list[str]:
    """Every answer that is wrong."""
    return [sentence for check, peers in CHECKS.items() if any(map(find_spec, peers)) for sentence in check()]


def replaced(model: probe.Model, reference: torch.Tensor) -> probe.Model:
    """The model with one reference."""
    from dataclasses import replace

    return replace(model, space=replace(model.space, reference=reference))
