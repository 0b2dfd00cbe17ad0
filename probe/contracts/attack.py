"""An Attack moves inputs so that the model errs."""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import replace
from typing import ClassVar, Literal, final

import torch

from probe.arrays import Given
from probe.contracts.common import Need, check_output, passes, refuse_missing, refuse_unmet
from probe.errors import ContractError, Unsupported
from probe.method import Method
from probe.model import Model
from probe.results import Perturbation, Prediction
from probe.shapes import Inputs, Labels
from probe.space import Space
from probe.tensors import wide

Moves = Literal["numbers", "tokens", "edges"]


class Attack(Method, ABC):
    """Moves inputs, within the model's space, so that the model errs."""

    moves: ClassVar[Moves] = "numbers"  # what it can change
    needs: ClassVar[frozenset[Need]] = frozenset()  # of the model

    @abstractmethod
    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        """Return the moved inputs. All of them are classified correctly to begin with."""

    @abstractmethod
    def radius(self) -> tuple[float, float]:
        """The ball that `perturb` stays in: the p of its norm, and its radius in the unit of the space's scale.

        At p = 0 the radius is how many coordinates may change.
        """

    @final
    def __call__(self, model: Model, inputs: Given, labels: Given) -> Perturbation:
        """Attack the inputs that the model gets right; the others need no attack and stay as they are."""
        refuse_unmet(self, self.needs, model)
        inputs = model.check(inputs)
        labels = model.check_labels(labels, inputs)
        reads = _moved(model, inputs)
        # An edge is a number too, though between 0 and 1 it is a relaxed one.
        if self.moves != reads and not (self.moves == "numbers" and reads == "edges"):
            raise Unsupported(
                f"{self.name()} moves {self.moves}, and {model.name} reads {reads}; choose an attack that moves {reads}"
            )
        refuse_missing(self, inputs)
        before = copy(model.usage)
        clean = Prediction.of(model, inputs, labels)
        perturbed = inputs.clone()
        right = clean.correct.bool().nonzero()[:, 0]
        for rows in passes(model, inputs[right]):
            chosen = right[rows]
            perturbed[chosen] = self.perturb(model, inputs[chosen], labels[chosen]).detach()
        check_output(self, perturbed, inputs)
        self._check_ball(model.space, perturbed, inputs)
        attacked = replace(clean, logits=model.logits(perturbed))
        return Perturbation(inputs, perturbed, clean, attacked, self, model.space, model.usage - before)

    def _check_ball(self, space: Space, perturbed: Inputs, inputs: Inputs) -> None:
        space.check(perturbed)
        if bool(((perturbed != inputs) & ~(space.movable(inputs) & space.ordinary(perturbed))).any()):
            raise ContractError(f"{self} moved coordinates that the space holds fixed, or put in special tokens")
        p, radius = self.radius()
        moved = space.change(wide(perturbed), wide(inputs)).flatten(1)
        length = float(torch.linalg.vector_norm(moved, ord=p, dim=1).max())
        # The dtype of the inputs rounds each x + radius, by an error that is relative to x: it is measured in its size.
        size = float((wide(inputs) / space.unit(wide(inputs))).abs().max()) + radius if p else 0.0
        rounding = torch.finfo(inputs.dtype).eps if inputs.is_floating_point() else 0.0
        dust = 1e-5 * radius + rounding * size * moved.shape[1] ** (1 / p) if p else 0.0
        if length > radius + dust:
            raise ContractError(f"{self} left its ball: moved by {length:.6g}, radius {radius:.6g}")


def _moved(model: Model, inputs: Inputs) -> Moves:
    """What an attacker of the model can change."""
    if model.embed is not None:
        return "tokens"
    return "edges" if model.space.form_of(inputs) == "graph" else "numbers"
