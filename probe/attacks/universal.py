"""One perturbation for all inputs."""

from dataclasses import dataclass, replace
from math import cos, pi
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.attacks.ascent import loss_and_gradient
from probe.ball import place
from probe.contracts import Aim, Attack, Need
from probe.contracts.common import passes
from probe.draws import again, keys
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number, written
from probe.results import Prediction
from probe.shapes import Inputs
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball, Threat

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class UniversalPerturbation(Attack):
    """One perturbation that is added to every input (Moosavi-Dezfooli et al. 2017, arXiv:1610.08401).

    It is fitted to rows that the model was trained on, and inputs are attacked without a query: what succeeds needs no
    access to the model at the time. Each step goes up the gradient of a smooth count of the rows that reach the goal,
    in which those near the boundary weigh most (as arXiv:1811.11304, whose loss is clipped instead), by half a radius
    at first and less from step to step. Of all steps and restarts the perturbation that moves most of the rows to the
    goal is kept. It is fitted anew for each budget, and for each target of a targeted goal; its queries are counted in
    `cost`, not for single examples.

    Raises:
        Unsupported: if the model has no training rows, or they have another shape than the inputs.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import UniversalPerturbation
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> rows = torch.tensor([[0.5, 0.3], [0.8, 0.1]]), torch.tensor([0, 0])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"), training=rows)
    >>> found = UniversalPerturbation(eps="1/4")(model, torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0]))
    >>> found.success, found.perturbed - found.inputs
    (tensor([ True, False]), tensor([[-0.2500,  0.2500],
            [-0.2500,  0.2500]]))
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "training data"})

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")
    steps: int = param(40, "gradient steps over all the rows that it is fitted to", low=1)
    restarts: int = param(2, "restarts; the first starts at no change, the others at random ones", low=1)
    rows: int = param(500, "training rows that it is fitted to, at most", low=1)
    seed: int = param(0, "seed of the choice of rows", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        found, fitted = inputs.clone(), dict[tuple[object, ...], Tensor]()
        for row, radius in enumerate(aim.budget.tolist()):
            target = aim.targets[row] if self.goal.aimed and aim.targets is not None else None
            kind = (radius, *(() if target is None else target.flatten().tolist()))
            if radius > 0:
                if kind not in fitted:
                    fitted[kind] = self.fitted(model, inputs, aim, radius, target)
                one = slice(row, row + 1)
                found[one] = place(model.space, inputs[one], fitted[kind], self._p, aim.budget[one])
        return found

    def fitted(self, model: Model, inputs: Inputs, aim: Aim, radius: float, target: Tensor | None = None) -> Tensor:
        """The perturbation of a radius, (1, *shape), in units of the space's scale."""
        known, part = self._known(model, inputs, aim, radius, target)
        norm, like = NORMS[self.norm], wide(known[:1])
        keyed = keys(known[:1], self.seed)
        best, most = torch.zeros_like(like), (-1.0, -torch.inf)
        for restart in range(self.restarts):
            start = radius * norm.uniform(like, again(keyed, restart)) if restart else torch.zeros_like(like)
            change, score = self._climbed(model, known, part, start, radius)
            if score > most:
                best, most = change, score
            if most[0] == len(known):
                break
        return best

    def _climbed(
        self, model: Model, known: Tensor, part: Aim, change: Tensor, radius: float
    ) -> tuple[Tensor, tuple[float, float]]:
        """The best change of one run, with the number of rows that it moves to the goal, and the loss of all."""
        norm, best, most = NORMS[self.norm], change, (-1.0, -torch.inf)
        length, unit = torch.full_like(change.flatten()[:1], radius), change.new_zeros(())
        for step in range(self.steps + 1):
            points = place(model.space, known, change.expand_as(known), norm.p, part.budget)
            slope, reached, losses = torch.zeros_like(change), 0.0, 0.0
            for rows in passes(model, known):
                loss, there, each = loss_and_gradient(model.space, points[rows], part[rows])
                unit = unit if step or rows.start else loss.abs().median().clamp(min=1e-6)
                near = 1 - (loss / (2 * unit)).tanh() ** 2  # the slope of a sigmoid of the loss
                slope += (column(near.to(each), each) * each).sum(0, keepdim=True)
                reached, losses = reached + float(there.sum()), losses + float(loss.sum())
            if (reached, losses) > most:
                best, most = change, (reached, losses)
            if most[0] == len(known) or step == self.steps:
                break
            share = (1 + cos(pi * step / self.steps)) / 4
            change = norm.project(change + share * radius * norm.steepest(slope), column(length, change))
        return best, most

    @property
    def _p(self) -> float:
        return NORMS[self.norm].p

    def _known(
        self, model: Model, inputs: Inputs, aim: Aim, radius: float, target: Tensor | None
    ) -> tuple[Tensor, Aim]:
        """The training rows that it is fitted to, and what is wanted of them."""
        assert model.training is not None, "the contract refuses a model without"
        known = model.check(model.training[0])
        if known.shape[1:] != inputs.shape[1:]:
            raise Unsupported(
                f"{self.name()} fits one perturbation to training rows, which are {tuple(known.shape[1:])} and the "
                f"inputs {tuple(inputs.shape[1:])}; give inputs of the same shape"
            )
        chosen = torch.randperm(len(known), generator=generator(self.seed, CPU))[: self.rows].sort().values
        known = known[chosen.to(known.device)].to(inputs.dtype)
        labels = torch.as_tensor(model.training[1])[chosen]
        free = replace(model, meter=None)
        clean = Prediction.of(free, known, free.check_labels(labels, known))
        targets = None if target is None else target.expand(len(known), *target.shape)
        # As the contract attacks only inputs that have not reached the goal.
        budget = torch.full((len(known),), radius, dtype=aim.budget.dtype, device=aim.budget.device)
        part = Aim.of(self, free, clean, targets, budget)
        left = parted(self.goal.met(free.task, clean.logits, part.labels, part.targets))[0]
        return (known[left], part[left]) if len(left) else (known, part)
