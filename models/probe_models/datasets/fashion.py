"""Fashion-MNIST: which of ten kinds of clothing is in a grey image of 28x28 pixels?"""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from probe import Dataset, Space
from probe.errors import PlanError
from probe.features import squares
from probe_models.datasets import BUNDLED, idx
from probe_models.datasets.elsewhere import Elsewhere
from probe_models.files import read_known, unpack

NAME = "fashion-mnist"
SOURCE = "Fashion-MNIST (arXiv:1708.07747), MIT licence, Copyright (c) 2017 Zalando SE"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SIDE, SQUARE = 28, 4
SPLITS = {"train": 60_000, "test": 10_000}
PREFIXES = {"train": "train", "test": "t10k"}
SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
URL = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"


def read(split: str) -> Dataset:
    """The official `train` or `test` split; test is bundled, train is looked for and else downloaded (26 MB)."""
    if split not in SPLITS:
        raise PlanError(f"fashion has the splits {', '.join(SPLITS)}; got {split!r}")
    images = _read(f"{PREFIXES[split]}-images-idx3-ubyte.gz", (SPLITS[split], SIDE, SIDE))
    labels = _read(f"{PREFIXES[split]}-labels-idx1-ubyte.gz", (SPLITS[split],))
    return Dataset(
        inputs=images[:, None] / 255,
        labels=labels.long(),
        space=space(),
        classes=CLASSES,
        name=f"fashion {split}",
        source=SOURCE,
    )


@cache
def space() -> Space:
    """Brightness from 0 to 1; the features are squares of 4x4 pixels, and an absent one is black."""
    along = range(SIDE // SQUARE)
    return Space(
        bounds=(0.0, 1.0),
        features=squares(SIDE, SIDE, SQUARE)[None],
        names=tuple(f"square r{row} c{column}" for row in along for column in along),
        reference=torch.zeros(1, 1, SIDE, SIDE),
    )


def _read(name: str, shape: tuple[int, ...]) -> Tensor:
    size = idx.size(shape)
    path = BUNDLED / name if name.startswith(PREFIXES["test"]) else _find(name, size)
    return idx.parse(read_known(path, size, SHA256[name]), shape, name)


def _find(name: str, size: int) -> Path:
    return elsewhere(name, size).find()


def elsewhere(name: str, size: int) -> Elsewhere:
    """A file of the train split, in its publisher's form."""

    def check(packed: bytes) -> bytes:
        unpack(packed, name, size, SHA256[name])
        return packed

    remedy = "install Debian's package dataset-fashion-mnist, or set PROBE_DATA to a folder that holds the file"
    return Elsewhere(name=name, url=URL + name, size=size, check=check, remedy=remedy, places=(DEBIAN,))
