"""One small audit that holds a guest of every kind, some of them with two settings. Seconds to run."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from probe import Dataset, Model, Space
from probe.audit import Bundle, plan_from, run
from probe.report import render

PLAN: dict[str, Any] = {
    "name": "guests",
    "explain": {
        "sample": 12,
        "methods": [{"method": "through_layer", "layer": "0"}, {"method": "through_layer", "layer": "2"}, "saliency"],
        "metrics": ["largest_share", "deletion"],
    },
    "attack": {
        "sample": 40,
        "methods": [{"method": "bisect", "halvings": 12}, {"method": "bisect", "goal": "next_class"}],
        "eps": ["0.5", "2", "4"],
    },
    "search": {"sample": 12, "methods": ["towards_reference", {"method": "towards_reference", "steps": 3}]},
    "certify": {
        "sample": 40,
        "methods": ["lipschitz", {"method": "lipschitz", "norm": "frobenius"}],
        "eps": ["0.5", "1"],
    },
    "survey": {"methods": ["class_rates", {"method": "class_rates", "sure": 0.8}]},
    "bias": {"positive": "north", "groups": ["coast"], "min_group_size": 5},
    "checks": {"largest_share": 0.5, "certified_accuracy": 0.45, "class_rates": 0.3, "validity": 0.1},
}


class Bearings(nn.Module):
    """Directions as points on a circle, so that 359 degrees and 1 lie near each other."""

    lipschitz = math.pi / 180

    def forward(self, degrees: Tensor) -> Tensor:
        angle = torch.deg2rad(degrees)
        return torch.cat([angle.cos(), angle.sin()], 1)


def model() -> Model:
    """Whether the wind comes from the north: the first of two directions, and a little of the second."""
    layers = nn.Sequential(Bearings(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    first, second = layers[1], layers[3]
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.4, 0.0, 0.0], [-1.0, -0.4, 0.0, 0.0], [0.0, 0.0, 0.3, 0.5]]))
        second.weight.copy_(torch.tensor([[-2.0, 2.0, 0.0], [2.0, -2.0, 0.1]]))
        first.bias.zero_()
        second.bias.zero_()
    space = Space(
        form="compass",
        names=("wind", "current"),
        bounds=(0.0, 360.0),
        scale=20.0,
        reference=torch.tensor([[90.0, 90.0]]),
    )
    return Model(forward=layers.eval(), space=space, classes=("elsewhere", "north"), name="vane")


def data(space: Space) -> Dataset:
    """Forty pairs of directions, and on which coast they were read."""
    degrees = torch.rand(40, 2, generator=torch.Generator().manual_seed(3)) * 360
    labels = (torch.deg2rad(degrees[:, 0]).cos() > 0).long()
    coasts = pd.DataFrame({"coast": ["east" if row % 3 else "west" for row in range(40)]})
    return Dataset(degrees, labels, groups=coasts, space=space, classes=("elsewhere", "north"), name="winds")


def audited(folder: Path, **sections: Any) -> Bundle:
    """The audit, with its report; call it where the guests are installed."""
    asked = model()
    bundle = run(plan_from(PLAN | sections, sources=False), asked, data(asked.space), folder)
    bundle.write_report(render(bundle))
    return bundle
