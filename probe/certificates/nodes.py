"""A network as a list of steps in the order of computation."""

from dataclasses import dataclass

from torch import Tensor

from probe.certificates.steps import Step
from probe.shapes import Inputs


@dataclass(frozen=True, eq=False)
class Node:
    """One step, the numbers of the nodes that it reads, and the shape of what it gives for one row."""

    step: Step
    parents: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Traced:
    """A network as a list of steps in the order of computation: the input is the first, the logits are the last."""

    nodes: tuple[Node, ...]

    def values(self, inputs: Inputs) -> list[Tensor]:
        """What each step gives for these inputs."""
        found: list[Tensor] = []
        for node in self.nodes:
            found.append(node.step(*(found[at] for at in node.parents)) if node.parents else inputs)
        return found
