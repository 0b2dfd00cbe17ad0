"""A zoo of small trained networks, each with a card, and the data that they learned from.

>>> from probe import zoo
>>> model, test = zoo.load("adult-mlp"), zoo.data("adult")
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

    from probe import Dataset, Model, Trainer
    from probe.task import Task
    from probe_models.training.settings import Settings

__all__ = ["adapt", "card", "data", "favourable", "load", "names", "task", "trainer"]


def names() -> tuple[str, ...]:
    """The models of the zoo.

    >>> from probe import zoo
    >>> "adult-mlp" in zoo.names()
    True
    """
    return tuple(RECIPES)


def load(name: str | Path, device: str | torch.device | None = None) -> Model:
    """A trained model: one of the zoo by its name, or one that `probe train` wrote by its folder.

    >>> from probe import predict, zoo
    >>> from probe.metrics import Accuracy
    >>> model, test = zoo.load("adult-mlp"), zoo.data("adult-mlp")
    >>> round(Accuracy()(model, predict(model, test[:1000])).value, 2)
    0.85
    """
    # torch takes seconds to import, and names can be listed without it.
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
    """Fine-tune a trained model on other data; see `probe_models.zoo.transfer`.

    >>> from probe import zoo
    >>> from probe_models.training.settings import Settings
    >>> own = zoo.data("fashion-mnist", "train")[:1000]  # doctest: +SKIP
    >>> model = zoo.adapt("fashion-cnn", own, Settings(epochs=3), replaced=["head.*"])  # doctest: +SKIP
    """
    from probe_models.zoo import transfer

    return transfer.adapt(name, data, settings, replaced=replaced, device=device, seed=seed)


def trainer(
    name: str, *, settings: Settings | None = None, device: str | torch.device | None = None, quiet: bool = True
) -> Trainer:
    """A trainer that trains new models like one of the zoo, on any rows of its form; `settings` replace the recipe's.

    >>> from probe import zoo
    >>> again = zoo.trainer("german-mlp")
    >>> model = again(zoo.data("german", split="train"), seed=1)  # doctest: +SKIP
    """
    from probe_models.device import device_of
    from probe_models.training.loop import to_stderr
    from probe_models.zoo import recipe_of
    from probe_models.zoo import trainer as training

    told = (lambda line: None) if quiet else to_stderr
    return training.trainer(name, recipe_of(name), settings, device_of(device or "cpu"), told)


def data(name: str, split: str = "test") -> Dataset:
    """A split of a data set, such as `adult`, or of the one that a model of the zoo is audited on.

    >>> from probe import zoo
    >>> test = zoo.data("adult")
    >>> test.space.names[:3], test.classes
    (('age', 'education_num', 'capital_gain'), ('<=50K', '>50K'))
    """
    from probe_models.datasets import reader

    dataset: Dataset = reader(_data_of(name)).read(split)
    return replace(dataset, role=split)


def card(name: str | Path) -> dict[str, Any]:
    """The card of a model: architecture, training, and test metrics.

    >>> from probe import zoo
    >>> sorted(zoo.card("adult-mlp"))
    ['architecture', 'classes', 'data', ... 'training', 'weights']
    """
    from probe_models.zoo.cards import read_card

    return read_card(folder_of(name))


def favourable(name: str) -> str:
    """The favourable outcome of a dataset; empty if there is none, as for clothes.

    >>> from probe import zoo
    >>> zoo.favourable("adult"), zoo.favourable("fashion-mnist")
    ('>50K', '')
    """
    from probe_models.datasets import reader

    return str(getattr(reader(_data_of(name)), "FAVOURABLE", ""))


def task(name: str) -> Task:
    """The task of a dataset or of a model of the zoo: classes or numbers.

    >>> from probe import zoo
    >>> zoo.task("adult")
    Classification(classes=('<=50K', '>50K'), threshold=None, outputs='logits')
    """
    from probe_models.datasets import reader, task_of

    return task_of(reader(_data_of(name)))


def _data_of(name: str) -> str:
    return RECIPES[name].judged_on if name in RECIPES else name
