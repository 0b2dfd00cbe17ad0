"""Attacks of the package foolbox, by name."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from probe.attacks.peers.bridge import Asked, PeerAttack, attacks
from probe.errors import Unsupported
from probe.method import required
from probe.norms import NORMS


@dataclass(frozen=True, kw_only=True)
class Foolbox(PeerAttack):
    """Any attack of the package foolbox, by its name there, with foolbox's own settings.

    An attack that minimises its change looks for the smallest, which counts where it is within `eps`. Each example is
    attacked alone; what foolbox returns is projected onto ball and space, and judged by what the model answers to it.
    Its random numbers start from the seed and the values of the example. Of an attack that probe has too, probe's is
    faster, as foolbox goes on where an example has reached the goal.

    Raises:
        ProbeError: if foolbox is not installed.
        RangeError: if foolbox has no such attack.
        Unsupported: if the attack is of another norm, the space has no finite bounds, or foolbox fails on the model.

    >>> from probe.attacks import Foolbox
    >>> Foolbox(attack="L2FMNAttack", norm="l2", eps=0.5, settings=("steps=20",)).keywords()
    {'steps': 20}
    """

    package: ClassVar[str] = "foolbox"

    attack: str = required('the name of its class in foolbox.attacks, such as "LinfPGD"')

    def run(self, package: Any, asked: Asked) -> Tensor:
        kind = self.chosen(self.attack, attacks(package.attacks, package.attacks.base.Attack), "foolbox.attacks")
        built = kind(**self.keywords())
        self._check(built)
        network = package.PyTorchModel(asked.network, bounds=(asked.low, asked.high), device=asked.start.device)
        aim = asked.aim
        if aim.targets is None:
            criterion = package.criteria.Misclassification(aim.labels)
        else:
            criterion = package.criteria.TargetedMisclassification(aim.targets)
        found: Tensor = built(network, asked.start, criterion, epsilons=asked.radius)[1]
        return found.detach()

    def _check(self, built: Any) -> None:
        """Raise Unsupported if the attack has another norm."""
        p = getattr(getattr(built, "distance", None), "p", None)
        if p is not None and p != NORMS[self.norm].p:
            names = {norm.p: name for name, norm in NORMS.items()}
            remedy = f"write norm={names[p]!r}" if p in names else "choose an attack of probe, such as SigmaZero"
            shown = "infinity" if p == torch.inf else f"{p:g}"
            raise Unsupported(f"foolbox's {self.attack} is of the L{shown} norm, and norm is {self.norm!r}; {remedy}")
