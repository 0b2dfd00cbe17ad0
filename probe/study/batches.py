"""Run a method over many examples in batches that fit in memory, and join the results."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from probe.metering import Usage
from probe.results import AnyResult
from probe.study.steps import Advance
from probe.tensors import rows_per_pass, spans

FEW = 100  # minimum batch size: examples for which an attack succeeds early free room for others

R = TypeVar("R", bound=AnyResult)


def together(inputs: Tensor) -> int:
    """The number of examples in a batch."""
    return max(FEW, rows_per_pass(inputs))


def batches(ask: Callable[[slice], R], total: int, size: int, advance: Advance) -> Iterator[tuple[slice, R]]:
    """The result of each batch of at most `size` examples, with its rows."""
    for rows in spans(total, size):
        result = ask(rows)
        yield rows, result
        advance(len(result))


def whole(ask: Callable[[slice], R], total: int, size: int, advance: Advance) -> R:
    """The joined result of all batches."""
    return joined([result for _, result in batches(ask, total, size, advance)])


def joined(parts: Sequence[R]) -> R:
    """Join results of one method for different examples; costs are added."""
    first = parts[0]
    entries: dict[str, Any] = {name: _joined([getattr(part, name) for part in parts]) for name in first.per_row}
    if hasattr(first, "cost"):
        costs = [getattr(part, "cost") for part in parts]  # noqa: B009  not every result has one
        entries["cost"] = Usage(sum(each.forward for each in costs), sum(each.backward for each in costs))
    if (space := getattr(first, "space", None)) is not None and space.differs(entries["inputs"]):
        entries["space"] = replace(space, features=torch.cat([getattr(part, "space").features for part in parts]))  # noqa: B009  not every result has one
    return replace(first, **entries)  # type: ignore[type-var]  # each result is a dataclass


def _joined(held: Sequence[Any]) -> Any:
    if held[0] is None:
        return None
    return torch.cat(list(held)) if isinstance(held[0], Tensor) else joined(held)
