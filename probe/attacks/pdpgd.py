"""Minimal changes by primal-dual proximal steps."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.attacks.ascent import loss_and_gradient
from probe.attacks.minimal import Shortest, crossing
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.tensors import column, wide
from probe.threats import Ball, Threat

DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}


@dataclass(frozen=True, kw_only=True)
class PDPGD(Attack):
    """Minimal change in Linf, L2 or L1, by primal-dual proximal steps (Matyasko & Chau 2021, arXiv:2106.01538).

    It looks for the saddle point of the length of the change plus `weight` times the margin. Each step moves along the
    gradient of the margin, and then towards the input by the proximal operator of the norm: for L1 a soft threshold,
    for L2 a shorter change, for Linf a cut of the largest coordinates. The weights of length and margin of an example
    sum to 1: that of the margin rises where the goal is not reached, and falls where it is (exponentiated gradient
    steps). Step lengths decrease along a cosine. The shortest change that reached the goal is kept, and shortened by a
    bisection, so its length is an upper bound of the distance to the decision boundary.

    The authors' code, as adversarial-library has it, differs in three things: it moves by Adam's steps of the softplus
    of the margin, begins with a hundredth of the weight on the length, and averages the weights, with nine tenths of
    the mean so far. Averaged here, 100 steps found longer changes of 12 images of `fashion-robust`: L2 1.64 instead of
    1.45 in the mean, Linf .33 instead of .24 and L1 11.4 instead of 9.0.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import PDPGD
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
    >>> x, y = torch.tensor([[0.3, 0.4]]), torch.tensor([0])
    >>> [round(float(PDPGD(norm=norm, steps=100)(model, x, y).length), 2) for norm in ("linf", "l2", "l1")]
    [0.36, 0.5, 0.63]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""

    norm: Literal["linf", "l2", "l1"] = param("l2", "norm of the change")
    steps: int = param(200, "gradient steps", low=1)
    step: float = param(1.0, "L2 length of the first step, in units of the space's scale; the last has 1 %", above=0.0)
    pace: float = param(0.1, "by how much the logarithm of a weight moves at the first step", above=0.0)
    halvings: int = param(5, "steps of the final bisection, one query each", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, aim, origin = model.space, crossing(aim), wide(inputs)
        unit, shortest, point = space.scale_of(origin), Shortest(self.threat, space, inputs, aim), inputs
        dual, steepest = NORMS[DUAL[self.norm]], NORMS["l2"].steepest
        lean = torch.zeros_like(
            aim.budget, dtype=origin.dtype
        )  # the logarithm of the margin's weight over the length's
        for at in range(self.steps):
            _, reached, gradient = loss_and_gradient(space, point, aim)
            shortest.seen(point, reached)
            share = 0.01 + 0.99 * (1 + math.cos(math.pi * at / self.steps)) / 2
            lean = lean + self.pace * share * torch.where(reached, -1.0, 1.0)
            weight = column(1 / (1 + (-lean).exp()), origin)
            way = steepest(gradient)
            # In units of the margin's slope in the dual norm, the two pulls are equal where their weights are.
            size = torch.linalg.vector_norm(way.flatten(1), ord=dual.p, dim=1)
            size = column(torch.where(size > 0, size, 1.0), origin)
            length = self.step * share
            change = space.scaled_change(wide(point), origin) + length * weight * way
            change = change - dual.project(change, length * (1 - weight) * size)
            point = space.project(origin + unit * change, origin).to(inputs.dtype)
        _, reached = aim.ask(point)
        shortest.seen(point, reached)
        return shortest.draw_in(aim, self.halvings)
