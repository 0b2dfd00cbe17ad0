"""Stored results of attacks, asked again without attacking."""

from copy import copy
from dataclasses import replace

from probe.model import Model
from probe.results import Perturbation, Prediction


def asked_again(found: Perturbation, model: Model) -> Perturbation:
    """The same inputs before and after an attack, with the answers that a model gives to them now.

    Nothing is attacked. That the changes are within the budget, and inputs that the model reads, is checked again. With
    the model that was attacked this verifies a stored result; with another one it measures how far the inputs transfer,
    which says less than an attack of that model. Rows that the other model gets wrong from the start count as wrong.

    Args:
        found: the result, as `probe.load` reads it.
        model: the model to ask.

    Raises:
        ContractError: if a change is beyond its budget, or alters what the space keeps fixed.
        DataError: if the labels are no answers of the model, or the inputs not valid in its space.
        ShapeError: if the inputs are of another shape than it reads.

    Example:
        >>> import torch
        >>> from probe import Model, study
        >>> from probe.attacks import FGSM
        >>> from probe.metrics import RobustAccuracy
        >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
        >>> found = FGSM(eps=0.2)(model, torch.tensor([[0.6], [0.9]]), torch.tensor([0, 0]))
        >>> other = Model(forward=lambda x: 4 * torch.cat([x + 0.3, 1 - x], 1), classes=("high", "low"))
        >>> [RobustAccuracy()(each, study.asked_again(found, each)).value for each in (model, other)]
        [0.5, 1.0]
    """
    model.task.check_names(found.names, "those of the result", "ask a model that has the same, in the same order")
    before = copy(model.usage)
    inputs, perturbed = model.check(found.inputs), model.check(found.perturbed)
    labels = model.check_labels(found.clean.labels, inputs)
    if found.budget is not None:
        found.threat.check(found.method.name(), model.space, perturbed, inputs, found.budget.to(inputs.device))
    clean = Prediction.of(model, inputs, labels)
    attacked = replace(clean, logits=model.logits(perturbed))
    # Success follows from the answers, as it is not given.
    return Perturbation(
        inputs,
        perturbed,
        clean,
        attacked,
        found.method,
        model.space,
        cost=model.usage - before,
        targets=None if found.targets is None else found.targets.to(inputs.device),
        budget=found.budget,
        forwards=found.forwards,
        backwards=found.backwards,
        queries=found.queries,
    )
