"""A zoo of small trained networks, each with a card, and the data that they learned from.

>>> model, test = models.load("fashion-cnn"), models.data("fashion-mnist")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.zoo import FOLDER, unknown
from models.zoo.recipes import RECIPES

if TYPE_CHECKING:
    import torch

    from probe import Dataset, Model

__all__ = ["card", "data", "favourable", "load", "names"]


def names() -> tuple[str, ...]:
    """The models of the zoo."""
    return tuple(RECIPES)


def load(name: str | Path, device: str | torch.device | None = None) -> Model:
    """A trained model: one of the zoo by its name, or one that `probe train` wrote by its folder."""
    # torch takes seconds to import, and whoever asks for names needs none of it.
    from models.device import device_of
    from models.zoo import artefact

    return artefact.read(_folder(name), device_of(device or "cpu"))


def data(name: str, split: str = "test") -> Dataset:
    """A split of a data set, such as `adult`, or of the one that a model of the zoo is audited on."""
    from models.datasets import reader

    dataset: Dataset = reader(_data_of(name)).read(split)
    return dataset


def card(name: str | Path) -> dict[str, Any]:
    """What a model is, how it was trained, and how well it does on the test split."""
    from models.zoo.cards import read_card

    return read_card(_folder(name))


def favourable(name: str) -> str:
    """The class of a data set that people would rather be put in; empty where there is none, as for clothes."""
    from models.datasets import reader

    return str(getattr(reader(_data_of(name)), "FAVOURABLE", ""))


def _data_of(name: str) -> str:
    return RECIPES[name].judged_on if name in RECIPES else name


def _folder(name: str | Path) -> Path:
    if str(name) in RECIPES:
        return FOLDER / str(name)
    if Path(name).is_dir():
        return Path(name)
    raise unknown(str(name))
