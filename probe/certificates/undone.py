"""Steps that turn logits into probabilities, and the steps after them that turn those back: undone, none has bounds."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from probe.certificates.activations import SIGMOID, Stair
from probe.certificates.nodes import Node
from probe.certificates.steps import SAME, Activation, Affine, Late, Step


def undone(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes without the log-odds of a sigmoid, and at the end without a softmax and its logarithm.

    A softmax adds one number to all logits of a row, which changes no difference of two, and so no decision.
    """
    given = list(nodes)
    for at, node in enumerate(given):
        if isinstance(node.step, Late) and node.step.name == "logit":
            chain = [at, *_back(given, node.parents[0])]
            first = given[chain[-1]].step
            if isinstance(first, Activation) and first.curve is SIGMOID and _alone(given, chain):
                _undo(given, chain)
    last = _back(given, len(given) - 1)[-1]
    step = given[last].step
    if isinstance(step, Late) and step.name == "_log_softmax":
        _undo(given, [last])
    elif isinstance(step, Late) and step.name == "log":
        chain = [last, *_back(given, given[last].parents[0])]
        first = given[chain[-1]].step
        if isinstance(first, Late) and first.name == "_softmax" and _alone(given, chain):
            _undo(given, chain, limits=False)
    return tuple(given)


def _back(nodes: Sequence[Node], at: int) -> list[int]:
    """The nodes from one back to the first that does more than to move or limit single numbers, which is included."""
    found = [at]
    while _moves(nodes[at].step) or _limits(nodes[at].step):
        (at,) = nodes[at].parents
        found.append(at)
    return found


def _alone(nodes: Sequence[Node], chain: Sequence[int]) -> bool:
    """Whether nothing but the chain reads what lies within it."""
    return sum(parent in chain[1:] for node in nodes for parent in node.parents) == len(chain) - 1


def _undo(nodes: list[Node], chain: Sequence[int], *, limits: bool = True) -> None:
    """Keep the moves of a chain, and of its limits what they are for logits."""
    for at in chain:
        step = nodes[at].step
        if limits and isinstance(step, Activation) and isinstance(step.curve, Stair):
            ends = torch.tensor([step.curve.bottom, step.curve.top], dtype=torch.float64).clamp(0, 1).logit()
            nodes[at] = replace(nodes[at], step=Activation(Stair(*ends.tolist())))
        elif not _moves(step):
            nodes[at] = replace(nodes[at], step=SAME)


def _moves(step: Step) -> bool:
    return isinstance(step, Affine) and step.moves


def _limits(step: Step) -> bool:
    return isinstance(step, Activation) and isinstance(step.curve, Stair)
