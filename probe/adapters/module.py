"""A torch module as a Model."""

from torch import nn

from probe.model import Model
from probe.space import Space
from probe.task import Task


def from_module(
    module: nn.Module,
    space: Space,
    classes: tuple[str, ...] = (),
    name: str = "model",
    *,
    task: Task | None = None,
    part: str | int | None = None,
) -> Model:
    """A Model from an nn.Module in eval mode.

    Args:
        module: returns logits (rows, classes), or outputs of `task`.
        space: what its inputs mean.
        classes: the names of the classes; short for `task=Classification(classes)`.
        name: of the model.
        task: what its outputs mean: one logit, probabilities, several labels, numbers.
        part: if it returns more than the outputs, their attribute, key or index, such as "logits" or 0.

    >>> import torch
    >>> from probe import Classification, Space, from_module
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Sigmoid()).eval()
    >>> task = Classification(("no", "yes"), outputs="one probability")
    >>> tuple(from_module(net, Space(), task=task).logits(torch.rand(4, 3)).shape)
    (4, 2)
    """
    if task is None:
        return Model(forward=module, space=space, classes=classes, name=name, part=part)
    if not classes:
        return Model(forward=module, space=space, task=task, name=name, part=part)
    return Model(forward=module, space=space, task=task, classes=classes, name=name, part=part)
