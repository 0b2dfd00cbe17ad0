"""An attack's goal and budget for each example, and its only way to query the model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import ceil
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from probe.arrays import Wanted
from probe.contracts.blame import blamed
from probe.errors import ContractError, DataError
from probe.goals import Goal
from probe.labels import check_labels
from probe.model import Model
from probe.results import Prediction
from probe.shapes import Inputs, Labels, PerExample
from probe.task import Task
from probe.tensors import spans

Slope = tuple[PerExample, Bool[Tensor, " batch"], Inputs]  # the objective, whether the goal is reached, the gradient


@dataclass(frozen=True, eq=False)
class Aim:
    """The goal of an attack for a batch of examples, one row each; `aim[rows]` selects some of them.

    Every query to the model that goes through it is counted for its example.
    """

    model: Model
    goal: Goal
    labels: Tensor  # the labels, as the task has them
    targets: Tensor | None  # the answers that a targeted goal wants; None for other goals
    budget: PerExample  # the largest change of each, in the threat's unit; infinity to minimise it
    rows: Labels  # the index of each example in the batch that `perturb` was given
    loss: Callable[[Task, Tensor, Tensor, Tensor | None], PerExample] | None = None  # instead of the goal's own

    def ask(self, inputs: Inputs) -> tuple[PerExample, Bool[Tensor, " batch"]]:
        """The objective to maximise and whether the goal is reached; without gradients, in passes."""
        logits = self.model.logits(inputs, rows=self.rows)
        return self._judged(logits, self._loss(logits))

    def slope(self, inputs: Inputs) -> Slope:
        """The result of `ask`, and the gradient of the objective by the inputs; in passes too."""
        return slopes([self], [inputs])[0]

    def over_embeddings(self) -> "Aim":
        """The same aim over embeddings (batch, tokens, width), for gradients by the word vectors."""
        return replace(self, model=self.model.over_embeddings())

    def repeated(self, times: int) -> "Aim":
        """Each row repeated this many times in a row, for several candidates of each example."""
        return self[torch.arange(len(self), device=self.rows.device).repeat_interleave(times)]

    @classmethod
    def of(cls, method: Any, model: Model, clean: Prediction, targets: Wanted | None, budget: PerExample) -> "Aim":
        """The aim of a method with a goal, for a batch of examples.

        Raises:
            DataError: if the goal needs targets and none are given, or takes none and some are.
        """
        goal, shape = method.goal, tuple(clean.logits.shape)
        if targets is not None and not goal.aimed:
            raise DataError(
                f"targets were given, and the goal {goal} takes none; write {type(method).__name__}(goal=Targeted()), "
                "with Targeted from probe.goals"
            )
        if targets is not None:
            targets = check_labels(targets, model.task, shape, "targets").to(model.device)
        aims = goal.aims(model.task, clean.logits, targets)
        if aims is not None:
            aims = check_labels(aims, model.task, shape, "targets")
            there = model.task.labelled(clean.labels)
            aims = torch.where(there, aims, clean.labels) if there.shape == aims.shape else aims
        return cls(model, goal, clean.labels, aims, budget, torch.arange(len(clean), device=clean.logits.device))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Tensor | slice) -> "Aim":
        entries = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("model", "goal", "loss")}
        part: dict[str, Any] = {name: None if each is None else each[rows] for name, each in entries.items()}
        return replace(self, **part)

    def _loss(self, logits: Tensor) -> PerExample:
        loss = self.loss or self.goal.loss
        with blamed(self.goal):
            found: PerExample = loss(self.model.task, logits, self.labels, self.targets)
        if found.shape != self.labels.shape[:1]:
            raise ContractError(
                f"the loss of {self.goal} is of shape {tuple(found.shape)} for {len(self.labels)} rows, expected one "
                "number for each row"
            )
        return found

    def _judged(self, logits: Tensor, loss: PerExample) -> tuple[PerExample, Bool[Tensor, " batch"]]:
        # Logits may have a wider dtype than the inputs; losses are compared in one that is wide enough for both.
        wide = torch.float32 if logits.device.type == "mps" else torch.float64
        reached: Tensor = self.goal.met(self.model.task, logits, self.labels, self.targets)
        return loss.to(wide), reached


def slopes(aims: Sequence[Aim], inputs: Sequence[Inputs]) -> list[Slope]:
    """The `slope` of several aims at one model, each at inputs of its own, at least one row each.

    They are asked together, in passes of equal size: many rows at once take less time than few rows often.
    """
    rows = sum(map(len, inputs))
    passes = len(aims[0].model.slices(rows, inputs[0]))
    if passes == 1:
        return _slopes(aims, inputs)
    found: list[list[Slope]] = [[] for _ in aims]
    for part in spans(rows, ceil(rows / passes)):
        cuts = [*_cuts(part, [*map(len, inputs)])]
        asked = _slopes([aims[at][cut] for at, cut in cuts], [inputs[at][cut] for at, cut in cuts])
        for (at, _), slope in zip(cuts, asked, strict=True):
            found[at].append(slope)
    return [_end_to_end(slopes) for slopes in found]


def _cuts(part: slice, sizes: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """Which of some batches, put end to end, a slice of them holds, and which rows of each."""
    start = 0
    for at, size in enumerate(sizes):
        cut = slice(max(part.start - start, 0), min(part.stop - start, size))
        if cut.start < cut.stop:
            yield at, cut
        start += size


def _slopes(aims: Sequence[Aim], inputs: Sequence[Inputs]) -> list[Slope]:
    """In one pass."""
    losses: list[PerExample] = []
    sizes = [*map(len, aims)]

    def objective(logits: Tensor) -> PerExample:
        losses[:] = (aim._loss(part) for aim, part in zip(aims, torch.split(logits, sizes), strict=True))
        return torch.cat(losses)

    rows = torch.cat([aim.rows for aim in aims])
    logits, gradient = aims[0].model.gradient(torch.cat([*inputs]), objective, rows=rows)
    parts = zip(aims, torch.split(logits, sizes), losses, torch.split(gradient, sizes), strict=True)
    return [(*aim._judged(logits, loss.detach()), gradient) for aim, logits, loss, gradient in parts]


def _end_to_end(slopes: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Slope:
    losses, reached, gradients = zip(*slopes, strict=True)
    return torch.cat(losses), torch.cat(reached), torch.cat(gradients)
