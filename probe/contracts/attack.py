"""An Attack moves inputs so that the model errs."""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, TypeVar, final

import torch
from torch import Tensor

from probe.arrays import Given
from probe.contracts.common import Need, check_output, passes, refuse_missing, refuse_unmet
from probe.errors import Unsupported
from probe.method import Method
from probe.model import Model
from probe.results import Perturbation, Prediction
from probe.shapes import Inputs, Labels
from probe.space import Space
from probe.threats import Threat

A = TypeVar("A", bound="Attack")


class Attack(Method, ABC):
    """Moves inputs, within the model's space, so that the model errs."""

    family: ClassVar[str] = "attack"
    needs: ClassVar[frozenset[Need]] = frozenset()  # of the model
    budget: ClassVar[str] = "eps"  # the setting that says how much may be changed; "" where the change is made small

    @property
    @abstractmethod
    def threat(self) -> Threat:
        """What it may change, and how the change is measured. `perturb` stays within the budget of it."""

    @abstractmethod
    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        """Return the moved inputs. All of them are classified correctly to begin with."""

    def amount(self) -> float:
        """The budget, in the unit of the threat; infinity where the change is made as small as it can be."""
        return float(getattr(self, self.budget)) if self.budget else torch.inf

    def could_move(self, space: Space, inputs: Inputs) -> Tensor:
        """Whether the budget holds another input than each example itself that the space admits, (batch,)."""
        return self.threat.could_move(space, inputs, self.amount())

    def at(self: A, amount: float | str) -> A:
        """The same attack with another budget; itself where it has none."""
        settings: dict[str, Any] = {self.budget: amount} if self.budget else {}
        return replace(self, **settings)

    @final
    def __call__(self, model: Model, inputs: Given, labels: Given) -> Perturbation:
        """Attack the inputs that the model gets right; the others need no attack and stay as they are."""
        refuse_unmet(self, self.needs, model)
        inputs = model.check(inputs)
        labels = model.check_labels(labels, inputs)
        self._check_threat(model, inputs)
        refuse_missing(self, inputs)
        before = copy(model.usage)
        clean = Prediction.of(model, inputs, labels)
        perturbed = inputs.clone()
        right = clean.correct.bool().nonzero()[:, 0]
        for rows in passes(model, inputs[right]):
            chosen = right[rows]
            perturbed[chosen] = self.perturb(model, inputs[chosen], labels[chosen]).detach()
        check_output(self, perturbed, inputs)
        self.threat.check(str(self), model.space, perturbed, inputs, self.amount())
        attacked = replace(clean, logits=model.logits(perturbed))
        return Perturbation(inputs, perturbed, clean, attacked, self, model.space, model.usage - before)

    def _check_threat(self, model: Model, inputs: Inputs) -> None:
        """Raise Unsupported where the threat moves other things than the model reads."""
        moves, reads = self.threat.moves, moved(model, inputs)
        # An edge is a number too, though between 0 and 1 it is a relaxed one.
        if moves != reads and not (moves == "numbers" and reads == "edges"):
            raise Unsupported(
                f"{self.name()} moves {moves}, and {model.name} reads {reads}; choose an attack that moves {reads}"
            )


def moved(model: Model, inputs: Inputs) -> str:
    """What an attacker of the model can change."""
    if model.embed is not None:
        return "tokens"
    return model.space.form_of(inputs).moves
