"""Handwritten digits of scikit-learn, enlarged to the size of Fashion-MNIST's images."""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from models.datasets import BUNDLED, fashion, idx
from models.files import read_known
from probe import Dataset, Space
from probe.errors import PlanError

SOURCE = (
    "Optical Recognition of Handwritten Digits (doi:10.24432/C50P49), test set, CC BY 4.0, Alpaydin and Kaynak 1998"
)
CLASSES = tuple("0123456789")
COUNT, SIDE, WHITE = 1797, 8, 16
# As in scikit-learn's examples: the writers come one after the other, so few of them are in both halves.
SPLITS = {"train": slice(0, 898), "test": slice(898, COUNT)}
SHA256 = {
    "digits-images-idx3-ubyte.gz": "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
    "digits-labels-idx1-ubyte.gz": "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
}


def read(split: str) -> Dataset:
    """The first half (`train`) or the second (`test`) of the images, 28x28 pixels of brightness from 0 to 1."""
    if split not in SPLITS:
        raise PlanError(f"digits has the splits {', '.join(SPLITS)}; got {split!r}")
    rows = SPLITS[split]
    labels = _read("digits-labels-idx1-ubyte.gz", (COUNT,))
    return Dataset(
        inputs=images()[rows],
        labels=labels[rows].long(),
        space=space(),
        classes=CLASSES,
        name=f"digits {split}",
        rows=torch.arange(COUNT)[rows],
        source=SOURCE,
    )


def images() -> Tensor:
    """All images (1797, 1, 28, 28), enlarged from 8x8 pixels by bilinear interpolation."""
    small = _read("digits-images-idx3-ubyte.gz", (COUNT, SIDE, SIDE))[:, None] / WHITE
    return interpolate(small, (fashion.SIDE, fashion.SIDE), mode="bilinear", align_corners=False)


@cache
def space() -> Space:
    """That of Fashion-MNIST, so that whatever judges its images can judge these."""
    return fashion.space()


def _read(name: str, shape: tuple[int, ...]) -> Tensor:
    return idx.parse(read_known(BUNDLED / name, idx.size(shape), SHA256[name]), shape, name)
