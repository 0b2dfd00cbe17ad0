"""A zoo of small trained networks, each with a card, and the data that they learned from.

>>> model, test = zoo.load("fashion-cnn"), zoo.data("fashion-mnist")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe_models.zoo import folder_of
from probe_models.zoo.recipes import RECIPES

if TYPE_CHECKING:
    import torch

    from probe import Dataset, Model
    from probe.task import Task
    from probe_models.training.settings import Settings

__all__ = ["adapt", "card", "data", "favourable", "load", "names", "task"]


def names() -> tuple[str, ...]:
    """The models of the zoo."""
    return tuple(RECIPES)


def load(name: str | Path, device: str | torch.device | None = None) -> Model:
    """A trained model: one of the zoo by its name, or one that `probe train` wrote by its folder."""
    # torch takes seconds to import, and whoever asks for names needs none of it.
    from probe_models.device import device_of
    from probe_models.zoo import artefact

    return artefact.read(folder_of(name), device_of(device or "cpu"))


def adapt(
    name: str | Path,
    data: Dataset,
    settings: Settings,
    *,
    replaced: Sequence[str],
    device: str | torch.device | None = None,
    seed: int = 0,
) -> Model:
    """A trained model after training on other data, from what it learned before; see `probe_models.zoo.transfer`."""
    from probe_models.zoo import transfer

    return transfer.adapt(name, data, settings, replaced=replaced, device=device, seed=seed)


def data(name: str, split: str = "test") -> Dataset:
    """A split of a data set, such as `adult`, or of the one that a model of the zoo is audited on."""
    from probe_models.datasets import reader

    dataset: Dataset = reader(_data_of(name)).read(split)
    return replace(dataset, role=split)


def card(name: str | Path) -> dict[str, Any]:
    """What a model is, how it was trained, and how well it does on the test split."""
    from probe_models.zoo.cards import read_card

    return read_card(folder_of(name))


def favourable(name: str) -> str:
    """The class of a data set that people would rather be put in; empty where there is none, as for clothes."""
    from probe_models.datasets import reader

    return str(getattr(reader(_data_of(name)), "FAVOURABLE", ""))


def task(name: str) -> Task:
    """What the labels of a data set are, or the answers of a model of the zoo: classes or numbers."""
    from probe_models.datasets import reader, task_of

    return task_of(reader(_data_of(name)))


def _data_of(name: str) -> str:
    return RECIPES[name].judged_on if name in RECIPES else name
