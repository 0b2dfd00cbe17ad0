"""The shortest step to a linearised boundary, within the room of each coordinate."""

import torch
from torch import Tensor

from probe.ball import room
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column


def shortest_step(p: float, gradient: Inputs, gain: PerExample, within: Inputs) -> Inputs:
    """The step of least L_p length by which a linear function rises by `gain`; all of the room where it cannot.

    All are in units of the space's scale. `within` is how far a coordinate can move in the sense of the gradient, as
    `probe.ball.room` tells. A gain of 0 or less needs no step.
    """
    pull, most = gradient.flatten(1).abs(), within.flatten(1)
    largest = pull.amax(1, keepdim=True)  # in parts of it, or squares of faint slopes would underflow
    pull = pull / torch.where(largest > 0, largest, 1.0)
    goal = gain.to(pull.dtype).clamp(min=0)[:, None] / torch.where(largest > 0, largest, 1.0)
    most = torch.where(pull > 0, most, 0.0)
    step = (_greedy if p == 1 else _even)(p, pull, goal, most)
    return (step * gradient.flatten(1).sign()).view_as(gradient)


def to_boundary(space: Space, p: float, point: Inputs, gradient: Tensor, missing: PerExample) -> Tensor:
    """The shortest step from a point by which the linearised loss rises, or falls, by what it is missing."""
    way = gradient * column(missing.sign(), gradient)
    return shortest_step(p, way, missing.abs(), room(space, point, way))


def _greedy(p: float, pull: Tensor, goal: Tensor, most: Tensor) -> Tensor:
    """In L1 the steepest coordinates move first, each as far as it can."""
    slopes, order = pull.sort(dim=1, descending=True, stable=True)
    reach = torch.where(slopes > 0, slopes * most.gather(1, order), 0.0)
    before = torch.cat([torch.zeros_like(goal), reach.nan_to_num(posinf=torch.inf).cumsum(1)[:, :-1]], 1)
    left = (goal - before).clamp(min=0) / torch.where(slopes > 0, slopes, 1.0)
    moved = torch.where(slopes > 0, torch.minimum(left, most.gather(1, order)), 0.0)
    return torch.zeros_like(pull).scatter_(1, order, moved)


def _even(p: float, pull: Tensor, goal: Tensor, most: Tensor) -> Tensor:
    """In L2 each moves in proportion to its slope, in Linf all alike: min(times * way, most) at the least `times`."""
    way = pull if p == 2 else (pull > 0).to(pull.dtype)
    ends, order = torch.where(way > 0, most / torch.where(way > 0, way, 1.0), torch.inf).sort(1)
    rise = (pull * way).gather(1, order)
    full = torch.where(rise > 0, rise * ends, 0.0).cumsum(1)  # by the coordinates that have no more room
    full = torch.cat([torch.zeros_like(goal), full], 1)
    free = rise.flip(1).cumsum(1).flip(1)
    free = torch.cat([free, torch.zeros_like(goal)], 1)
    ended = (torch.where(free[:, :-1] > 0, full[:, :-1] + ends * free[:, :-1], torch.inf) < goal).sum(1, keepdim=True)
    left = free.gather(1, ended)
    times = torch.where(left > 0, (goal - full.gather(1, ended)) / torch.where(left > 0, left, 1.0), torch.inf)
    return torch.where(way > 0, torch.minimum(times * way, most), 0.0)


def size(p: float, change: Inputs) -> Tensor:
    """The L_p length of each change, shaped to multiply it."""
    return column(torch.linalg.vector_norm(change.flatten(1), ord=p, dim=1), change)
