"""Differences to a baseline, propagated back through each operation of a network."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch

from probe.contracts import Explainer, Need
from probe.errors import Unsupported
from probe.explainers.followed import Followed
from probe.explainers.rescale import Rescale
from probe.model import Model
from probe.shapes import Inputs, Labels, References
from probe.task import Task
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class DeepLift(Explainer):
    """The change of the output since the mean reference, shared out by the rescale rule (arXiv:1704.02685).

    Each operation shares the change of its result among the changes of its arguments: a function of single numbers by
    their quotient, a product by the mean of both orders, a largest by what the larger row chose. So attention, softmax
    and layer normalisation have exact rules too. Operations are followed as they are called, so that functions, and
    activations that are used again or work in place, have them as well; one without a rule is refused with its line.
    That values add up is checked for each example. In a deep transformer the parts can grow far beyond their sum, or
    what the type of the weights can hold, which is refused.

    Values are in output units and sum to output(input) - output(mean reference). It costs one pass of two rows.

    Raises:
        Unsupported: if the space has no reference, an operation has no rule, or values do not add up.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import DeepLift
    >>> forward = lambda x: torch.stack([2 * x[:, 0].relu() + 2 * (x[:, 1] - 1.5).relu(), x[:, 0]], 1)
    >>> model = Model(forward=forward, space=Space(bounds=(-9, 9), reference=torch.zeros(1, 2)))
    >>> DeepLift()(model, torch.tensor([[1.0, 2.0]]), torch.tensor([0])).values
    tensor([[2., 1.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "baseline"

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        behind = model.space.baseline(inputs).expand_as(inputs)
        return lifted(self, model, inputs, behind, targets)


def lifted(method: Explainer, model: Model, inputs: Inputs, behind: References, targets: Labels) -> Inputs:
    """The change of each example's output since its own baseline, shared out among the coordinates.

    Raises:
        Unsupported: if the values of an example do not add up to that change.
    """
    rules = Rescale(method.name(), model.name)
    followed = replace(model, forward=Followed(model, rules), task=_ruled(model.task, rules))
    both = torch.cat([inputs, behind]).detach().requires_grad_()
    twice = targets.repeat(2, *[1] * (targets.ndim - 1))
    with torch.enable_grad(), followed.backward():
        logits = followed(both)
        with rules:
            rules.begin(logits)
            explained = followed.task.explained(logits, method.output)
        outputs = followed.task.pick(explained, twice)
        (slopes,) = torch.autograd.grad(outputs[: len(inputs)].sum(), both)
    values = slopes[: len(inputs)] * (inputs - behind)
    new, old = wide(outputs.detach()).chunk(2)
    off, sizes = (wide(values).flatten(1).sum(1) - (new - old)).abs(), wide(values).flatten(1).abs().sum(1)
    # In parts of the numbers that are added, as outputs may be small; of large ones no more than of 1.
    if bool((off > 0.01 * (new - old).abs() + 1e-3 * (new.abs() + old.abs() + sizes).clamp(max=1)).any()):
        size = float(sizes.max())
        raise Unsupported(
            f"{method.name()} of {model.name} does not add up to the change of the output, by up to "
            f"{float(off.max()):.3g} where sizes sum to {size:.3g}: its multipliers grow too large for {values.dtype}, "
            "or something in it mixes rows, or is not seen by torch; use IntegratedGradients"
        )
    return values


def _ruled(task: Task, rules: Rescale) -> Task:
    """The task, whose logits of what a network gives, such as the log of probabilities, are followed too."""

    def logits(outputs: Any) -> Any:
        with rules:
            return task.logits(outputs)

    ruled = copy(task)
    object.__setattr__(ruled, "logits", logits)
    return ruled
