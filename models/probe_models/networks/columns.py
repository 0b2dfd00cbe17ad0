"""Which coordinates of a table are numbers, and which belong to categories, as its Space says it."""

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from probe import Space
from probe.errors import DataError
from probe_models.networks.network import Network
from probe_models.networks.shapes import Table


class TableNetwork(Network, ABC):
    """A network for tables: the first coordinates that it reads are numbers, the others one-hot ones of categories.

    `columns` names the coordinates of the inputs in the order in which it reads them; None reads them as they come.
    """

    def __init__(self, numbers: int, columns: Sequence[int] | None) -> None:
        super().__init__()
        self.numbers, self.columns = numbers, None if columns is None else list(columns)

    def divide(self, inputs: Table) -> tuple[Float[Tensor, "rows numbers"], Float[Tensor, "rows onehots"]]:
        """The numbers, and the one-hot coordinates."""
        read = inputs if self.columns is None else inputs[:, self.columns]
        return read[:, : self.numbers], read[:, self.numbers :]

    def reads(self, width: int) -> list[int]:
        """The coordinates that it reads, numbers first, of rows of that width."""
        return list(range(width)) if self.columns is None else self.columns

    def extra_repr(self) -> str:
        return "" if self.columns is None else f"columns={self.columns}"


def arguments(architecture: str, kwargs: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """The arguments of a network for tables, with the sizes and columns that a Space says.

    Raises:
        DataError: if the architecture reads no tables, or the Space says nothing of columns, or something else.
    """
    if architecture not in ("mlp", "mlp-regressor", "ftt"):
        raise DataError(f"{architecture} reads no columns of a table, so it takes no space; leave it out")
    numbers, categories = coordinates(space)
    width = len(numbers) + sum(map(len, categories))
    columns = [*numbers, *(place for category in categories for place in category)]
    found: dict[str, Any] = {"numbers": len(numbers)}
    if architecture != "ftt":
        found["onehots"] = width - len(numbers)
    else:
        found["levels"] = list(map(len, categories))
    if columns != list(range(width)):
        found["columns"] = columns
    for name, value in found.items():
        if name in kwargs and list_of(kwargs[name]) != list_of(value):
            raise DataError(f"{name} is {kwargs[name]}, and the space says {value}; leave it out")
    return dict(kwargs) | found


def check_columns(network: TableNetwork, space: Space, width: int, name: str) -> None:
    """Refuse rows whose columns are others than those that the network reads.

    Raises:
        DataError: if it takes a category for a number, or a number for a category.
    """
    if not space.kinds:
        return
    numbers, categories = coordinates(space)
    read = network.reads(width)
    levels = getattr(network, "levels", None)
    wrong = [place for place in read[: network.numbers] if place not in numbers]
    wrong += [place for place in read[network.numbers :] if place in numbers]
    if not wrong and levels is not None:
        parts = (
            torch.split(torch.tensor(read[network.numbers :]), levels) if sum(levels) + network.numbers == width else ()
        )
        if [sorted(part.tolist()) for part in parts] != [sorted(category) for category in categories]:
            wrong = read[network.numbers :]
    if wrong:
        kind = type(network).__name__
        feature = _features(space)[wrong[0]]
        named = space.names[feature] if space.names else f"feature {feature}"
        what = "a number" if wrong[0] in read[: network.numbers] else "a part of a category"
        raise DataError(
            f"{kind} reads coordinate {wrong[0]} of {name} as {what}, and it belongs to {named}, whose kind is "
            f"{space.kinds[feature]}; build(architecture, kwargs, space=data.space) finds sizes and columns"
        )


def coordinates(space: Space) -> tuple[list[int], list[list[int]]]:
    """The coordinates of all numbers, and those of each category."""
    numbers: list[int] = []
    categories: list[list[int]] = []
    features = _features(space)
    for feature in dict.fromkeys(features):
        places = [place for place, owner in enumerate(features) if owner == feature]
        if space.kinds and space.kinds[feature] == "category":
            categories.append(places)
        else:
            numbers += places
    return numbers, categories


def list_of(value: Any) -> Any:
    """Tuples and lists alike."""
    return list(value) if isinstance(value, list | tuple) else value


def _features(space: Space) -> list[int]:
    """The feature of each coordinate."""
    if space.features is not None:
        if space.features.ndim != 1:
            raise DataError("the space is not that of a table, expected features of shape (coordinates,)")
        found: list[int] = space.features.tolist()
        return found
    count = len(space.kinds) or len(space.names)
    if not count:
        raise DataError("the space names no columns, so it does not say how many there are; give it names or kinds")
    return list(range(count))
