"""Training that balances groups of rows.

A group is a combination of the named columns and the label. A row of group g has the weight q[g] n / n[g], where n[g]
of the n training rows are of group g; so the loss is the sum of q[g] times the mean loss of group g.

| method | q |
|---|---|
| reweight | 1 / G: all G groups have the same weight, whatever their size |
| group dro (arXiv:1911.08731) | initially 1 / G; after each step q[g] <- q[g] exp(step loss[g]), normalised |

Here loss[g] is the mean loss of the rows of g in the batch, 0 without any. Thus q concentrates on groups with a high
loss, and training minimises the loss of the worst group.
"""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from probe import Dataset
from probe.errors import DataError
from probe_models.training.settings import Balance

Add = Callable[[Tensor], Tensor]  # sums a tensor over the processes that train together


class Groups(nn.Module):
    """The groups of the training rows, and their weights. The state of a run has the logarithms of q."""

    log_q: Tensor  # (groups,), as q itself may become 0 by rounding and stay there
    rarity: Tensor  # (groups,) n / n[g]

    def __init__(self, balance: Balance | None, training: Dataset) -> None:
        super().__init__()
        self.balance = balance
        self.known = sorted(set(self._named(training)))
        sizes = torch.bincount(self.numbers(training).cpu(), minlength=len(self.known)).float()
        self.register_buffer("log_q", -torch.full_like(sizes, len(sizes)).log())
        self.register_buffer("rarity", sizes.sum() / sizes, persistent=False)

    def numbers(self, data: Dataset) -> Tensor:
        """The index of each row's group (rows,); -1 for a combination without training rows."""
        if self.balance is None:
            return torch.zeros(len(data), dtype=torch.long, device=data.labels.device)
        place = {group: number for number, group in enumerate(self.known)}
        return torch.tensor([place.get(group, -1) for group in self._named(data)], device=data.labels.device)

    def counts(self, numbers: Tensor) -> Tensor:
        """The weight of each row of a batch (rows,)."""
        return (self.log_q.exp() * self.rarity)[numbers]

    def observe(self, numbers: Tensor, losses: Tensor, add: Add) -> None:
        """Update the group weights with the losses of a step."""
        if self.balance is None or self.balance.method != "group dro":
            return
        found = torch.zeros(2, len(self.log_q), device=losses.device)
        found[0].index_add_(0, numbers, losses.float())
        found[1].index_add_(0, numbers, torch.ones_like(losses, dtype=found.dtype))
        total, rows = add(found)
        self.log_q.copy_(torch.log_softmax(self.log_q + self.balance.step * total / rows.clamp(min=1), 0))

    def worst(self, numbers: Tensor, losses: Tensor) -> Tensor:
        """The highest mean loss of a group; without rows of a known group, the mean over all rows."""
        present = sorted(set(numbers.tolist()) - {-1}) or [-1]
        return torch.stack([losses[numbers == number].mean() for number in present]).max()

    def _named(self, data: Dataset) -> list[tuple[str, ...]]:
        if self.balance is None:
            return [()] * len(data)
        columns = [] if data.groups is None else list(map(str, data.groups.columns))
        if data.groups is None or set(self.balance.groups) - set(columns):
            missing = sorted(set(self.balance.groups) - set(columns))[0]
            there = f"it has {', '.join(columns)}" if columns else "it declares none"
            raise DataError(f"balance.groups names {missing!r}, which is no group of {data.name}; {there}")
        # Missing groups form one group, distinct from a group called nan.
        parts = [["" if pd.isna(group) else str(group) for group in data.groups[name]] for name in self.balance.groups]
        return list(zip(*parts, map(str, data.labels.tolist()), strict=True))
