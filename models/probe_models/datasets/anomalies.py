"""Clothes among noise, shuffled clothes and handwritten digits: what is unusual for who has seen clothes only?"""

import pandas as pd
import torch
from torch import Tensor

from probe import Dataset, Space
from probe.errors import PlanError
from probe.tensors import generator
from probe_models.datasets import digits, fashion

NAME = "fashion-anomalies"
SOURCE = f"{fashion.SOURCE}; {digits.SOURCE}; noise drawn from a seed"
CLASSES = ("usual", "unusual")
CLOTHES, NOISE, SEED = 8_000, 2_000, 0


def read(split: str) -> Dataset:
    """The `test` split: 8,000 test clothes, usual, and 5,797 unusual images, of three kinds (`groups`).

    - noise: 1,000 images of uniform noise, and 1,000 of normal noise of mean 1/2 and deviation 1/4, cut at 0 and 1;
    - permuted: the other 2,000 test clothes, the pixels of each in a random order of its own;
    - digits: all 1,797 of scikit-learn's, enlarged. They are smooth strokes on black, as many clothes are.

    No image of clothes is in it twice.
    """
    if split != "test":
        raise PlanError(f"fashion-anomalies has the split test; got {split!r}")
    clothes, random = fashion.read("test").inputs, generator(SEED, torch.device("cpu"))
    kinds = {
        "clothes": clothes[:CLOTHES],
        "noise": _noise(clothes[:NOISE], random),
        "permuted": _permuted(clothes[CLOTHES:], random),
        "digits": digits.images(),
    }
    kind = pd.Series([kind for kind, images in kinds.items() for _ in images], name="kind")
    return Dataset(
        inputs=torch.cat(list(kinds.values())),
        labels=torch.tensor((kind != "clothes").to_numpy()).long(),
        groups=kind.to_frame(),
        space=space(),
        classes=CLASSES,
        name=f"fashion anomalies {split}",
        source=SOURCE,
    )


def space() -> Space:
    """That of Fashion-MNIST."""
    return fashion.space()


def _noise(like: Tensor, random: torch.Generator) -> Tensor:
    half = like[: len(like) // 2]
    uniform = torch.rand(half.shape, generator=random)
    normal = 0.5 + 0.25 * torch.randn(half.shape, generator=random)
    return torch.cat((uniform, normal.clamp(0, 1)))


def _permuted(images: Tensor, random: torch.Generator) -> Tensor:
    pixels = images[0].numel()
    orders = torch.stack([torch.randperm(pixels, generator=random) for _ in images])
    return images.flatten(1).gather(1, orders).view_as(images)
