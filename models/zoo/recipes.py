"""How each model of the zoo is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An architecture, the data that it learns from, and how it is trained."""

    architecture: str
    kwargs: Mapping[str, Any]
    data: str
    settings: Settings
    preprocessing: str


IMAGES = "none outside the network, which takes brightness from 0 to 1 and standardises it by the training rows"
BINS = "the network spreads numbers over bins whose edges are quantiles of the distinct training values"
TABLE = f"numbers in their own units, then one-hot categories with ? as a category of its own; {BINS}"
COMPLETE = f"numbers in their own units, then one-hot categories; {BINS}"

RECIPES = {
    "adult-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 5, "onehots": 86, "bins": 128, "widths": [128], "classes": 2},
        data="adult",
        settings=Settings(epochs=15, rate=2e-3, weight_decay=0.1),
        preprocessing=TABLE,
    ),
    "compas-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 5, "onehots": 4, "bins": 32, "widths": [32], "classes": 2},
        data="compas",
        settings=Settings(epochs=20, batch=128, rate=1e-3, weight_decay=0.5),
        preprocessing=COMPLETE,
    ),
    "german-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 7, "onehots": 54, "bins": 4, "widths": [64], "classes": 2},
        data="german",
        settings=Settings(epochs=30, batch=32, rate=1e-3, weight_decay=0.3),
        preprocessing=COMPLETE,
    ),
    "fashion-mlp": Recipe(
        architecture="image-mlp",
        kwargs={"side": 28, "widths": [256, 128], "classes": 10},
        data="fashion-mnist",
        settings=Settings(epochs=25, batch=128, rate=1e-3, weight_decay=0.2, augment={"flip": 0.5}),
        preprocessing=IMAGES,
    ),
    "fashion-lenet": Recipe(
        architecture="lenet",
        kwargs={"side": 28, "classes": 10},
        data="fashion-mnist",
        settings=Settings(epochs=24, batch=128, rate=5e-3, augment={"flip": 0.5, "shift": 1}),
        preprocessing=IMAGES,
    ),
    "fashion-cnn": Recipe(
        architecture="cnn",
        kwargs={"channels": [32, 64, 128], "side": 28, "classes": 10},
        data="fashion-mnist",
        settings=Settings(epochs=18, rate=4e-3, weight_decay=0.02, augment="flip and shift", precision="bfloat16"),
        preprocessing=IMAGES,
    ),
    "fashion-resnet": Recipe(
        architecture="resnet",
        kwargs={"widths": [32, 64, 128], "blocks": 1, "classes": 10},
        data="fashion-mnist",
        settings=Settings(epochs=20, rate=4e-3, weight_decay=0.05, augment="flip and shift", precision="bfloat16"),
        preprocessing=IMAGES,
    ),
    "fashion-vit": Recipe(
        architecture="vit",
        kwargs={"side": 28, "width": 64, "layers": 4, "heads": 4, "classes": 10},
        data="fashion-mnist",
        settings=Settings(epochs=12, rate=3e-3, weight_decay=0.05, augment="flip and shift"),
        preprocessing=IMAGES,
    ),
}
