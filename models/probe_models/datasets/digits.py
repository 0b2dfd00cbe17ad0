"""Handwritten digits of scikit-learn, enlarged to the size of Fashion-MNIST's images."""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from probe import Dataset, Space
from probe.errors import PlanError
from probe_models.datasets import BUNDLED, fashion, idx
from probe_models.files import read_known

NAME = "digits"
SOURCE = (
    "Optical Recognition of Handwritten Digits (doi:10.24432/C50P49), test set, CC BY 4.0, Alpaydin and Kaynak 1998"
)
CLASSES = tuple("0123456789")
COUNT, SIDE, WHITE = 1797, 8, 16
# As in scikit-learn's examples: the writers come one after the other, so few of them are in both halves.
HALF = 898
FEW, EVERY = 20, 4  # training rows of each class: one in so many of the first half, so that many writers are among them
SPLITS = ("train", "test")
SHA256 = {
    "digits-images-idx3-ubyte.gz": "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
    "digits-labels-idx1-ubyte.gz": "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
}


def read(split: str) -> Dataset:
    """200 images of the first half, 20 of each digit (`train`), or the second half (`test`).

    Images have 28x28 pixels of brightness from 0 to 1. Transfer learning helps with so few labels.
    """
    if split not in SPLITS:
        raise PlanError(f"digits has the splits {', '.join(SPLITS)}; got {split!r}")
    rows = torch.arange(HALF, COUNT) if split == "test" else _few(labels()[:HALF])
    return Dataset(
        inputs=images()[rows],
        labels=labels()[rows],
        space=space(),
        classes=CLASSES,
        name=f"digits {split}",
        rows=rows,
        source=SOURCE,
    )


def _few(labels: Tensor) -> Tensor:
    """The rows (200,) that are trained on, in their order."""
    rows = [(labels == digit).nonzero()[::EVERY, 0][:FEW] for digit in range(len(CLASSES))]
    return torch.cat(rows).sort().values


def images() -> Tensor:
    """All images (1797, 1, 28, 28), enlarged from 8x8 pixels by bilinear interpolation."""
    small = _read("digits-images-idx3-ubyte.gz", (COUNT, SIDE, SIDE))[:, None] / WHITE
    return interpolate(small, (fashion.SIDE, fashion.SIDE), mode="bilinear", align_corners=False)


def labels() -> Tensor:
    """The digit that each of them shows (1797,)."""
    return _read("digits-labels-idx1-ubyte.gz", (COUNT,)).long()


@cache
def space() -> Space:
    """That of Fashion-MNIST, so that whatever judges its images can judge these."""
    return fashion.space()


def _read(name: str, shape: tuple[int, ...]) -> Tensor:
    return idx.parse(read_known(BUNDLED / name, idx.size(shape), SHA256[name]), shape, name)
