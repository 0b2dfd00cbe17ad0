"""One change after another, each the best of those that a gradient proposes."""

from collections.abc import Callable

import torch
from torch import Tensor

from probe.model import Model
from probe.shapes import Inputs, Labels, PerExample
from probe.tensors import column

# Of inputs, the inputs that the attack began with, and labels: changed inputs to try, (batch, candidates, *shape).
Propose = Callable[[Tensor, Tensor, Labels], Tensor]


def climb(model: Model, inputs: Inputs, labels: Labels, changes: int, propose: Propose) -> Inputs:
    """The best inputs on a way of that many changes.

    Each change is the best of those that are proposed, also where the loss falls, as a later one may make up for it (a
    beam of one). An example that has fallen changes no more.
    """
    best, highest = inputs.clone(), model.task.loss(model.logits(inputs), labels)
    here, standing = inputs.clone(), torch.arange(len(inputs), device=inputs.device)
    for _ in range(changes):
        own = labels[standing]
        found, loss, fallen = _best(model, propose(here[standing], inputs[standing], own), own)
        better = fallen | (loss > highest[standing])
        best[standing[better]], highest[standing[better]] = found[better], loss[better]
        here[standing] = found
        standing = standing[~fallen]
        if len(standing) == 0:
            break
    return best


def _best(model: Model, tried: Tensor, labels: Labels) -> tuple[Inputs, PerExample, Tensor]:
    """Of the candidates of each example one that the model gets wrong, else the one with the highest loss."""
    repeated = labels.repeat_interleave(tried.shape[1])
    logits = model.logits(tried.flatten(0, 1))
    loss = model.task.loss(logits, repeated).view(tried.shape[:2])
    wrong = model.task.wrong(logits, repeated).view(tried.shape[:2])
    # With more than two classes the highest loss need not be an error.
    best = torch.where(wrong, torch.inf, loss).argmax(1, keepdim=True)
    found = tried.take_along_dim(column(best, tried), 1)[:, 0]
    return found, loss.gather(1, best)[:, 0], wrong.gather(1, best)[:, 0]
