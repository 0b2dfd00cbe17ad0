"""Greedy search: one change after another, each the best of those that a gradient proposes."""

from collections.abc import Callable

import torch
from jaxtyping import Bool
from torch import Tensor

from probe.contracts import Aim
from probe.shapes import Inputs, PerExample
from probe.tensors import column, parted

# Takes inputs, the original inputs and their aim; returns candidates, (batch, candidates, *shape).
Candidates = Callable[[Tensor, Tensor, Aim], Tensor]


def greedy_search(inputs: Inputs, aim: Aim, candidates: Candidates) -> Inputs:
    """The best inputs found within the budget.

    Each step takes the best candidate, even if it lowers the loss, because a later change may raise it again (beam
    search of width one). Examples that have reached the goal are not changed any further.
    """
    best, (highest, _) = inputs.clone(), aim.ask(inputs)
    current, remaining = inputs.clone(), parted(aim.budget >= 1)[1]
    changes = 0
    while len(remaining) and changes < inputs[0].numel():
        tried = candidates(current[remaining], inputs[remaining], aim[remaining])
        if not tried.shape[1]:  # such as a graph of one node
            break
        found, loss, reached = _best(tried, aim[remaining])
        better = reached | (loss > highest[remaining])
        best[remaining] = torch.where(column(better, found), found, best[remaining])
        highest[remaining] = torch.where(better, loss, highest[remaining])
        current[remaining] = found
        changes += 1
        remaining = remaining[parted(~reached & (aim.budget[remaining] > changes))[1]]
    return best


def _best(tried: Tensor, aim: Aim) -> tuple[Inputs, PerExample, Bool[Tensor, " batch"]]:
    """Of the candidates of each example one that reaches the goal, else the one with the highest loss."""
    loss, reached = (told.view(tried.shape[:2]) for told in aim.repeated(tried.shape[1]).ask(tried.flatten(0, 1)))
    # With more than two classes the candidate with the highest loss need not be misclassified.
    best = torch.where(reached, torch.inf, loss).argmax(1, keepdim=True)
    found = tried.take_along_dim(column(best, tried), 1)[:, 0]
    return found, loss.gather(1, best)[:, 0], reached.gather(1, best)[:, 0]
