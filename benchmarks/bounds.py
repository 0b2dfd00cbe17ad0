"""Bounds of networks beside auto_LiRPA: how low each says that a lead may fall, and how long it takes, to JSON.

    python -m benchmarks.bounds

Both bound the lead of the label over each other class for all inputs within a radius in Linf, and within [0, 1]. A
higher bound is a tighter one. Each side is asked about as many images at once, in turn. auto_LiRPA traces its network
once, which is not timed.
"""

import os
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from probe_models.datasets import reader
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.zoo import recipe_of
from torch import Tensor, nn

from benchmarks.sides import in_turn, written
from probe import Model, from_module, zoo
from probe.certificates import Crown, IntervalBounds

PEERS = ("auto_LiRPA",)
# The radius, how many images at once, as the bounds of a convolution's numbers take much memory, and how many at most:
# an image of fashion-robust takes seconds.
NETWORKS = {"fashion-mlp": (0.01, 50, 200), "fashion-robust": (0.005, 2, 10), "residual": (0.004, 10, 200)}
METHODS = {"IBP": IntervalBounds(), "CROWN-IBP": Crown(inner="intervals"), "CROWN": Crown()}
SLACK = 1e-3  # of the logits: by how much bounds of intervals may be apart, or ours below a bound by lines
Side = Callable[[Tensor, Tensor], Tensor]


class Residual(nn.Module):
    """A small residual network; auto_LiRPA takes no mean over places, as the zoo's has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 8, 4, stride=2, padding=1), nn.Linear(8 * 14 * 14, 10)
        self.inner, self.outer = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        begun = torch.relu(self.first(images))
        added = begun + self.outer(torch.relu(self.inner(begun)))
        return self.last(torch.relu(added).flatten(1))


def network(name: str, rows: int) -> Model:
    """A network of the zoo; the two that no one keeps are trained for an epoch on so many images."""
    if name == "fashion-robust":
        return zoo.load(name)
    recipe, data = recipe_of("fashion-mlp"), reader("fashion-mnist")
    net = Residual() if name == "residual" else build(recipe.architecture, recipe.kwargs)
    settings, cpu = recipe.settings.changed({"epochs": 1, "learning_rate": 0.02}), torch.device("cpu")
    fit(net, data.read("train")[:rows], settings, device=cpu, initialise=True, progress=lambda line: None)
    return from_module(net.eval(), data.space(), data.CLASSES, name)


def as_convolution(standardise: Any) -> nn.Conv2d:
    """The same of a grey image; auto_LiRPA divides the bounds of a convolution by no number for several images."""
    same = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        same.weight.fill_(1 / standardise.deviation)
        same.bias.fill_(-standardise.mean / standardise.deviation)
    return same


def ours(method: Any, model: Model, images: Tensor, labels: Tensor, radius: float, at_once: int) -> Tensor:
    """The lowest lead of each image."""
    parts = zip(images.split(at_once), labels.split(at_once), strict=True)
    return torch.cat([method.margins(model, x, y, torch.full((len(x),), radius)).amin(1) for x, y in parts])


def theirs(bounded: Any, method: str, images: Tensor, labels: Tensor, radius: float, at_once: int) -> Tensor:
    """The lowest lead of each image, by auto_LiRPA."""
    from auto_LiRPA import BoundedTensor, PerturbationLpNorm

    one, found = torch.eye(10), []
    for x, y in zip(images.split(at_once), labels.split(at_once), strict=True):
        low, high = (x - radius).clamp(0, 1), (x + radius).clamp(0, 1)
        others = torch.arange(10).expand(len(x), -1)
        others = others[others != y[:, None]].view(len(x), 9)
        functions = one[y][:, None] - one[others]
        asked = BoundedTensor(x, PerturbationLpNorm(norm=torch.inf, x_L=low, x_U=high))
        with torch.no_grad():
            lower, _ = bounded.compute_bounds(x=(asked,), C=functions, method=method, bound_upper=False)
        found.append(lower.amin(1))
    return torch.cat(found)


def beside(name: str, images: int, repeats: int, rows: int = 20_000) -> dict[str, Any]:
    """What both sides say of a network, by each method."""
    from auto_LiRPA import BoundedModule

    class Bounded(BoundedModule):
        def _named_members(self, *given: Any, remove_duplicate: bool = True, **named: Any) -> Any:
            return super()._named_members(*given, **named)  # torch asks with one argument more than it knows

    model, (radius, at_once, most) = network(name, rows), NETWORKS[name]
    data = zoo.data("fashion-mnist", split="test")[slice(0, min(images, most))]
    net = deepcopy(model.forward)
    if hasattr(net, "standardise"):
        net.standardise = as_convolution(net.standardise)
    bounded = Bounded(net, data.inputs[:1], verbose=False)
    told: dict[str, Any] = {"radius": radius, "images": len(data), "images at once": at_once}
    for method, own in METHODS.items():
        sides: dict[str, Side] = {
            "probe": partial(ours, own, model, radius=radius, at_once=at_once),
            "auto_LiRPA": partial(theirs, bounded, method, radius=radius, at_once=at_once),
        }
        for side in sides.values():  # they take long, so few images warm up
            side(data.inputs[:at_once], data.labels[:at_once])
        calls = {name: partial(side, data.inputs, data.labels) for name, side in sides.items()}
        given, seconds = in_turn(calls, max(1, repeats), warm=False)
        told[method] = {
            side: {
                "certified": int((given[side] > 0).sum()),
                "mean lowest lead": round(float(given[side].mean()), 4),
                **seconds[side],
            }
            for side in sides
        }
        lower = (given["probe"] - given["auto_LiRPA"]) / model.logits(data.inputs).abs().max()
        told[method] |= {"largest lead of ours": float(lower.max()), "largest lead of the peer's": float(-lower.min())}
    return told


def wrong(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Where ours is looser than auto_LiRPA's by the same method."""
    for name, told in found.items():
        for method in METHODS:
            if (behind := told[method]["largest lead of the peer's"]) > SLACK:
                yield f"{method} of {name} is looser than auto_LiRPA's by {behind:.2g} of the largest logit"


def main(images: int = 200, repeats: int = 1) -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    found = {name: beside(name, images, repeats) for name in NETWORKS}
    written(
        "bounds",
        f"first {images} test images, or fewer where it says so; radii in Linf; leads are differences of logits",
        PEERS,
        {"networks": found, "looser": list(wrong(found))},
        load,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
