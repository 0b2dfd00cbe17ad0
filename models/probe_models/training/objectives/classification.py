"""Classification."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

import probe
from probe import Dataset
from probe.errors import DataError, PlanError
from probe.tensors import rows_per_pass, spans
from probe_models.networks.network import logits_of
from probe_models.training.adversary import catastrophic_overfitting, directions, perturb
from probe_models.training.answers import decided
from probe_models.training.groups import Add, Groups
from probe_models.training.losses import LOSSES, divergence, shares
from probe_models.training.metrics import Line
from probe_models.training.mixup import mixup
from probe_models.training.objectives.objective import Batch, Evaluation, Objective
from probe_models.training.randomness import source
from probe_models.training.settings import Adversary, Settings

DECISION = probe.Classification()
ATTACKED = 1000  # validation rows that are attacked: attacks are slow
GUARD = Adversary(method="pgd", eps=0.0, steps=10)  # the attack that evaluates adversarial training


class Classification(Objective):
    """A loss of `probe_models.training.losses` on augmented, mixed or adversarial rows."""

    weights: Tensor | None

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        super().__init__(network, settings, data)
        self.classes, self.space = len(data.classes), data.space
        for name in ("adversary", "mixup"):
            if getattr(settings, name) and not data.inputs.is_floating_point():
                raise PlanError(
                    f"Settings.{name} moves inputs bit by bit, which whole numbers such as token ids do not allow; "
                    f"those of {data.name} are {data.inputs.dtype}; leave it out"
                )
        if settings.mixup and not data.classes:
            raise PlanError(
                f"Settings.mixup mixes classes, and {data.name} names none; give it classes, or leave it out"
            )
        self.loss = LOSSES[settings.loss]
        self.groups = Groups(settings.balance, data)
        # Not a part of the state: the settings say it.
        self.register_buffer("weights", _class_weights(settings, self.classes), persistent=False)

    def rows(self, data: Dataset) -> Batch:
        return replace(super().rows(data), groups=self.groups.numbers(data))

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        inputs, targets = self.augment(batch.inputs, random), batch.targets
        if self.settings.mixup:
            inputs, targets = mixup(inputs, targets, self.classes, self.settings.mixup, random)
        start = directions(inputs, random) if self.settings.adversary else None
        return replace(batch, inputs=inputs, targets=targets, counts=self.groups.counts(batch.groups), noise=start)

    def perturb(self, batch: Batch) -> Batch:
        adversary, start = self.settings.adversary, batch.noise
        if adversary is None or start is None:
            return batch
        return replace(batch, noise=perturb(self.network, batch.inputs, batch.targets, start, adversary, self.space))

    def forward(self, batch: Batch) -> Tensor:
        adversary, smoothing = self.settings.adversary, self.settings.label_smoothing
        if adversary is None or batch.noise is None:
            return self.loss(logits_of(self.network, batch.inputs), batch.targets, self.weights, smoothing)
        if adversary.method != "trades":
            return self.loss(logits_of(self.network, batch.noise), batch.targets, self.weights, smoothing)
        logits, moved = logits_of(self.network, torch.cat([batch.inputs, batch.noise])).chunk(2)
        apart = divergence(moved.float(), logits.float()) * shares(batch.targets, self.weights)
        return self.loss(logits, batch.targets, self.weights, smoothing) + adversary.beta * apart

    def total(self, batch: Batch) -> Tensor:
        return shares(batch.targets, self.weights).sum()

    def observe(self, batch: Batch, losses: Tensor, add: Add) -> None:
        self.groups.observe(batch.groups, losses, add)

    def catastrophic_overfitting(self, lines: Sequence[Line]) -> bool:
        return self.settings.adversary is not None and catastrophic_overfitting(lines)

    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The loss without label smoothing, and the accuracy; of the worst group if groups are balanced.

        With an adversary, both are measured on the first 1,000 rows under PGD with 10 steps.
        """
        inputs, labels = data.inputs, data.labels
        if self.settings.adversary:
            inputs, labels, data = inputs[:ATTACKED], labels[:ATTACKED], data[:ATTACKED]
            guard, start = replace(GUARD, eps=self.settings.adversary.eps), directions(inputs, source(0, "judge"))
            parts = [(inputs[rows], labels[rows], start[rows]) for rows in spans(len(inputs), rows_per_pass(inputs))]
            inputs = torch.cat([perturb(network, *part, guard, self.space) for part in parts])
        with torch.no_grad():
            logits = torch.cat([logits_of(network, inputs[rows]) for rows in spans(len(inputs), rows_per_pass(inputs))])
            losses = self.loss(logits, labels, self.weights, 0.0)
            right = 1.0 - DECISION.wrong(logits, decided(labels)).double()
            if self.settings.balance:
                numbers = self.groups.numbers(data)
                worst = self.groups.worst(numbers, losses), -self.groups.worst(numbers, -right)
                return Evaluation(*worst)
            return Evaluation(losses.sum() / shares(labels, self.weights).sum(), right.mean())


def _class_weights(settings: Settings, classes: int) -> Tensor | None:
    if settings.class_weights is None:
        return None
    if len(settings.class_weights) != classes:
        raise DataError(
            f"Settings.class_weights has {len(settings.class_weights)} numbers, the data has {classes} classes; "
            "give one for each class"
        )
    return torch.tensor(settings.class_weights, dtype=torch.float32)
