"""Groups of rows that training treats evenly.

A group is a combination of the named columns and the label. Each row counts

| method | what a row of group g counts |
|---|---|
| reweight | n / (G n[g]): each of the G groups as much as every other, however few its rows |
| group dro (arXiv:1911.08731) | q[g] / (rows of g in the batch), with q <- q exp(step loss[g]), sum 1, after a step |

The second makes the loss of the worst group small, as q wanders to where the loss is high.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.training.settings import Balance
from probe import Dataset
from probe.errors import DataError

Add = Callable[[Tensor], Tensor]  # sums a tensor over the processes that train together


class Groups(nn.Module):
    """The groups of the training rows, and what their rows count. Its weights are a part of the state of a run."""

    weights: Tensor  # (groups,)

    def __init__(self, balance: Balance | None, training: Dataset) -> None:
        super().__init__()
        self.balance = balance
        self.names: list[str] = sorted(set(self._named(training)))
        sizes = torch.bincount(self.numbers(training).cpu(), minlength=len(self.names)).float()
        even = sizes.sum() / (len(sizes) * sizes)
        dro = balance is not None and balance.method == "group dro"
        self.register_buffer("weights", torch.full_like(even, 1 / len(even)) if dro else even)

    def numbers(self, data: Dataset) -> Tensor:
        """The number of the group of each row (rows,); -1 for a combination that no training row has."""
        if self.balance is None:
            return torch.zeros(len(data), dtype=torch.long, device=data.labels.device)
        place = {name: number for number, name in enumerate(self.names)}
        return torch.tensor([place.get(name, -1) for name in self._named(data)], device=data.labels.device)

    def counts(self, numbers: Tensor) -> Tensor:
        """What each row of a batch counts (rows,)."""
        if self.balance is None:
            return torch.ones(len(numbers), device=numbers.device)
        counts = self.weights[numbers]
        if self.balance.method == "group dro":
            counts = counts / torch.bincount(numbers, minlength=len(self.weights))[numbers]
        return counts

    def heed(self, numbers: Tensor, losses: Tensor, add: Add) -> None:
        """Let the weights of groups whose loss was high grow."""
        if self.balance is None or self.balance.method != "group dro":
            return
        found = torch.zeros(2, len(self.weights), device=losses.device)
        found[0].index_add_(0, numbers, losses.float())
        found[1].index_add_(0, numbers, torch.ones_like(losses, dtype=found.dtype))
        total, rows = add(found)
        grown = self.weights * torch.exp(self.balance.step * total / rows.clamp(min=1))
        self.weights.copy_(grown / grown.sum())

    def worst(self, numbers: Tensor, losses: Tensor) -> Tensor:
        """The highest mean loss of a group."""
        present = sorted(set(numbers.tolist()) - {-1})
        return torch.stack([losses[numbers == number].mean() for number in present]).max()

    def _named(self, data: Dataset) -> list[str]:
        if self.balance is None:
            return [""] * len(data)
        columns = [] if data.groups is None else list(map(str, data.groups.columns))
        if data.groups is None or set(self.balance.groups) - set(columns):
            missing = sorted(set(self.balance.groups) - set(columns))[0]
            there = f"it has {', '.join(columns)}" if columns else "it declares none"
            raise DataError(f"balance.groups names {missing!r}, which is no group of {data.name}; {there}")
        parts = [data.groups[name].astype(str).tolist() for name in self.balance.groups]
        return [" / ".join(row) for row in zip(*parts, map(str, data.labels.tolist()), strict=True)]
