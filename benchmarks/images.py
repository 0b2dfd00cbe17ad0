"""Explanations of images beside captum and lime: the same answers, or the same error where they are estimates.

    python -m benchmarks.images            # all cases, or those that are named
    python -m benchmarks.images occlusion lime

SmoothGrad, GradCAM, LRP and Occlusion compute what captum's do, whose noise is ours while answers are compared.
IntegratedGradients is timed at the steps from which each side's values add up to 1 %, and Lime with the samples from
which it is as close to its limit as lime is with 1,000.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.sides import Counted, in_turn, written
from probe import Model, zoo
from probe.explainers import LRP, GradCAM, IntegratedGradients, Lime, Occlusion, SmoothGrad
from probe.tensors import generator

PEERS = ("captum", "lime")
IMAGES = 200
DRAWS, SIGMA, WINDOW, STRIDE, EPS = 50, 0.1, 4, 2, 1e-6
# Steps of captum, and steps and tolerances of ours, of which the first whose values add up are timed.
STEPS = (10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000)
OURS = ((12, 0.03), (12, 0.02), (12, 0.015), (12, 0.01), (12, 0.005))
RESIDUAL = 0.01  # the mean one, as a share of the mean difference that the values should add up to
BANDS, SAMPLES, LONG = (5, 8), 1000, 16_000  # superpixels, lime's samples, and those of the limit
FEWER = tuple(range(200, 1001, 100))  # samples of ours, of which the first that is as close is timed
SLACK = {"lrp": 1e-2}  # of the largest value, by how much answers may be apart; sums near 0 lose digits
Side = Callable[[], Tensor]


@dataclass(frozen=True)
class Case:
    """The sides of a comparison, and what is known of their answers; `same` are those of both that must be equal."""

    images: int  # or rows
    sides: dict[str, Side]
    same: tuple[Tensor, Tensor] | None
    told: dict[str, Any]


@dataclass(frozen=True)
class Given:
    """The network, whose rows are counted, images, and what it says of them."""

    model: Model
    net: Counted
    x: Tensor
    targets: Tensor


def given(images: int) -> Given:
    """The first images of the test set."""
    plain, data = zoo.load("fashion-cnn"), zoo.data("fashion-mnist", split="test")[slice(0, images)]
    space = replace(plain.space, reference=torch.zeros_like(data.inputs[:1]))
    net = Counted(plain.forward).eval()
    return Given(replace(plain, forward=net, space=space), net, data.inputs, plain.predict(data.inputs))


def smooth_grad(images: int) -> Case:
    """The mean gradient over noisy copies; of captum one copy of each image in a pass, or five."""
    from captum.attr import NoiseTunnel, Saliency

    of, ours = given(images), SmoothGrad(draws=DRAWS, sigma=SIGMA)
    peer = NoiseTunnel(Saliency(of.net))

    def theirs(at_once: int, rows: slice = slice(None)) -> Tensor:
        found: Tensor = peer.attribute(
            of.x[rows], nt_type="smoothgrad", nt_samples=DRAWS, nt_samples_batch_size=at_once, stdevs=SIGMA,
            target=of.targets[rows], abs=False,
        )  # fmt: skip
        return found.detach()

    source, one = generator(0, torch.device("cpu")), slice(0, 1)
    with drawing(torch.stack([torch.randn(of.x.shape[1:], generator=source) for _ in range(DRAWS)])):
        same = ours(of.model, of.x[one], of.targets[one]).values, theirs(DRAWS, one)
    sides: dict[str, Side] = {"probe": lambda: ours(of.model, of.x, of.targets).values}
    return Case(images, sides | {f"captum, {n} a pass": partial(theirs, n) for n in (1, 5)}, same, {"draws": DRAWS})


@contextmanager
def drawing(noise: Tensor) -> Iterator[None]:
    """Let torch.normal give this noise, scaled."""
    before = torch.normal
    torch.normal = lambda mean, std, **named: mean + std * noise.view_as(std)
    try:
        yield
    finally:
        torch.normal = before


def grad_cam(images: int) -> Case:
    """The last convolution's maps, weighted by their mean gradient and laid over the image."""
    from captum.attr import LayerAttribution, LayerGradCam

    of, ours = given(images), GradCAM()
    layer = [each for each in of.net.modules() if isinstance(each, nn.Conv2d)][-1]

    def theirs() -> Tensor:
        found = LayerGradCam(of.net, layer).attribute(of.x, target=of.targets, relu_attributions=True)
        laid: Tensor = LayerAttribution.interpolate(found, of.x.shape[2:], "bilinear")
        return laid.detach()

    sides: dict[str, Side] = {"probe": lambda: ours(of.model, of.x, of.targets).values, "captum": theirs}
    return Case(images, sides, (sides["probe"](), theirs()), {})


def lrp(images: int) -> Case:
    """Relevance by the epsilon rule in all layers; ours also by its default, whose convolutions have the gamma rule."""
    from captum.attr import LRP as Peer
    from captum.attr._utils.lrp_rules import EpsilonRule, IdentityRule

    of = given(images)
    net = deepcopy(of.net)
    net.net.dropout = nn.Dropout(0.0)  # captum has a rule for torch's own alone
    equal, usual = LRP(convolution="epsilon", dense="epsilon", eps=EPS), LRP()

    def theirs() -> Tensor:
        for layer in net.modules():  # captum takes them away each time
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.MaxPool2d):
                layer.rule = EpsilonRule(epsilon=EPS)
        net.net.standardise.rule = IdentityRule()
        found: Tensor = Peer(net).attribute(of.x, target=of.targets)
        return found.detach()

    sides: dict[str, Side] = {
        "probe": lambda: equal(of.model, of.x, of.targets).values,
        "probe, its default": lambda: usual(of.model, of.x, of.targets).values,
        "captum": theirs,
    }
    return Case(images, sides, (sides["probe"](), theirs()), {})


def occlusion(images: int) -> Case:
    """A square of 4 x 4 pixels that moves by 2; captum gives each pixel the sum, not the mean, over its windows."""
    from captum.attr import Occlusion as Peer

    of, ours = given(images), Occlusion(window=WINDOW, stride=STRIDE)

    def theirs() -> Tensor:
        found: Tensor = Peer(of.net).attribute(
            of.x, sliding_window_shapes=(1, WINDOW, WINDOW), strides=(1, STRIDE, STRIDE), baselines=0.0,
            target=of.targets,
        )  # fmt: skip
        return found

    sides: dict[str, Side] = {"probe": lambda: ours(of.model, of.x, of.targets).values, "captum": theirs}
    # Captum's values are the mean over the windows of a pixel of what each window loses; ours in parts of its pixels.
    return Case(images, sides, (WINDOW**2 * sides["probe"](), theirs()), {})


def of_people(rows: int) -> Given:
    """Rows of Adult, whose network has many kinks on the way from the mean."""
    plain, data = zoo.load("adult-mlp"), zoo.data("adult").sample(rows, 0)
    net = Counted(plain.forward).eval()
    return Given(replace(plain, forward=net), net, data.inputs, plain.predict(data.inputs))


def integrals(of: Given) -> Case:
    """Integrals along the path from the mean reference, each side with the steps from which values add up."""
    from captum.attr import IntegratedGradients as Peer

    start = of.model.space.baseline(of.x)
    ends = [of.model.target_outputs(each, of.targets, "logit").double() for each in (of.x, start.expand_as(of.x))]
    promised = ends[0] - ends[1]

    def mine(steps: int, tolerance: float) -> Tensor:
        return IntegratedGradients(steps=steps, tolerance=tolerance)(of.model, of.x, of.targets).values

    def theirs(steps: int) -> Tensor:
        found: Tensor = Peer(of.net).attribute(
            of.x, start, target=of.targets, n_steps=steps, internal_batch_size=of.model.rows_per_pass(of.x)
        )
        return found

    told: dict[str, Any] = {"residual asked": RESIDUAL}
    sides: dict[str, Side] = {}
    for name, ways in {
        "probe": [partial(mine, *each) for each in OURS], "captum": [partial(theirs, steps) for steps in STEPS]
    }.items():  # fmt: skip
        for side in ways:
            left = float((side().double().flatten(1).sum(1) - promised).abs().sum() / promised.abs().sum())
            if left <= RESIDUAL:
                break
        told |= {f"steps of {name}": side.args[0], f"residual of {name}": left}
        sides[name] = side
    return Case(len(of.x), sides, None, told)


def integrated_gradients(images: int) -> Case:
    """Integrals of the images' paths, from black."""
    return integrals(given(images))


def integrated_gradients_of_rows(images: int) -> Case:
    """Integrals of a table's paths."""
    return integrals(of_people(min(images, 50)))


def lime(images: int) -> Case:
    """Coefficients of 40 superpixels, of samples that leave the same error; both sides share kernel and penalty."""
    from lime.lime_image import LimeImageExplainer

    of = given(min(images, 8))
    down, along = BANDS
    places = torch.arange(28)
    parts = (places * down // 28)[:, None] * along + (places * along // 28)[None]
    model = replace(of.model, space=replace(of.model.space, features=parts[None], names=()))

    def mine(samples: int, seed: int = 0) -> Tensor:
        # The penalty is one of as many samples as lime's.
        method = Lime(samples=samples, ridge=samples / SAMPLES, seed=seed)
        return method(model, of.x, of.targets).by_feature()

    def answer(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found: np.ndarray = of.net(torch.from_numpy(images[..., :1]).permute(0, 3, 1, 2).float()).numpy()
        return found

    def theirs(seed: int = 0) -> Tensor:
        found = []
        for image, target in zip(of.x, of.targets.tolist(), strict=True):
            told = LimeImageExplainer(random_state=seed).explain_instance(
                image[0].numpy().astype(float), answer, labels=(target,), top_labels=None, hide_color=0,
                num_features=parts.max().item() + 1, num_samples=SAMPLES, batch_size=167,
                segmentation_fn=lambda image: parts.numpy(),
            )  # fmt: skip
            found.append([dict(told.local_exp[target])[at] for at in range(int(parts.max()) + 1)])
        return torch.tensor(found)

    limit = mine(LONG, 1000).double()

    def off(one: Callable[[int], Tensor]) -> float:
        errors = [(one(seed).double() - limit).norm(dim=1) / limit.norm(dim=1) for seed in range(3)]
        return float(torch.stack(errors).square().mean().sqrt())

    error = off(theirs)
    for samples in FEWER:
        if (own := off(partial(mine, samples))) <= error:
            break
    told = {"samples of probe": samples, "error of probe": own, "error of lime": error}
    return Case(len(of.x), {"probe": partial(mine, samples), "lime": theirs}, None, told)


CASES: dict[str, Callable[[int], Case]] = {
    each.__name__: each
    for each in (smooth_grad, grad_cam, lrp, occlusion, integrated_gradients, integrated_gradients_of_rows, lime)
}


def beside(name: str, images: int, repeats: int) -> dict[str, Any]:
    """What a case tells: how far answers are apart, and of each side the seconds and rows."""
    case = CASES[name](images)
    found: dict[str, Any] = {"images": case.images} | case.told
    if case.same:
        ours, theirs = case.same
        found["largest difference"] = float((ours - theirs).abs().max() / theirs.abs().max())
    if not repeats:
        return found
    _, seconds = in_turn(case.sides, repeats)
    best = min((side for side in seconds if not side.startswith("probe")), key=lambda side: seconds[side]["seconds"])
    ratios = {measure: seconds["probe"][measure] / seconds[best][measure] for measure in ("seconds", "processor")}
    return found | {"sides": seconds, "peer": best, "ratio": ratios}


def wrong(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Answers that are apart by more than rounding."""
    for name, told in found.items():
        if told.get("largest difference", 0.0) > SLACK.get(name, 1e-4):
            yield f"{name} differs from captum's by {told['largest difference']:.2g} of its largest value"


def main(names: list[str], images: int = IMAGES, repeats: int = 3) -> None:
    if unknown := [name for name in names if name not in CASES]:
        raise SystemExit(f"there is no case {unknown[0]}; there are {', '.join(CASES)}")
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    found = {name: beside(name, images, repeats) for name in names or CASES}
    written(
        "images",
        f"fashion-cnn, first {images} test images or fewer where it says so, medians of {repeats}",
        PEERS,
        {"cases": found, "wrong": list(wrong(found))},
        load,
    )


if __name__ == "__main__":
    main([each for each in sys.argv[1:] if not each.isdigit()], *[int(each) for each in sys.argv[1:] if each.isdigit()])
