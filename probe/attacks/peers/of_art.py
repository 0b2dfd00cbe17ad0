"""Attacks of the Adversarial Robustness Toolbox, by name."""

from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from probe.attacks.peers.bridge import Asked, PeerAttack, attacks
from probe.extras import imported
from probe.method import required
from probe.norms import NORMS
from probe.tensors import to_numpy


@dataclass(frozen=True, kw_only=True)
class ART(PeerAttack):
    """Any evasion attack of the Adversarial Robustness Toolbox, by its name there, with ART's own settings.

    `eps`, `norm` and a targeted goal are handed on where the attack has settings of that name; `eps_step`, unless it is
    given, keeps its share of `eps`. Each example is attacked alone; what ART returns is projected onto ball and space,
    and judged by what the model answers to it. Its random numbers start from the seed and the values of the example.

    Raises:
        ProbeError: if adversarial-robustness-toolbox is not installed.
        RangeError: if ART has no such attack.
        Unsupported: if the space has no finite bounds, or ART fails on the model.

    >>> from probe.attacks import ART
    >>> ART(attack="SignOPTAttack", norm="l2", eps=0.5, settings=("num_trial=20", "query_limit=1000")).keywords()
    {'num_trial': 20, 'query_limit': 1000}
    """

    package: ClassVar[str] = "art.attacks.evasion"

    attack: str = required('the name of its class in art.attacks.evasion, such as "ElasticNet"')

    def run(self, package: Any, asked: Asked) -> Tensor:
        base = imported("art.attacks.attack", "peers").EvasionAttack
        kind = self.chosen(self.attack, attacks(package, base), self.package)
        estimators = imported("art.estimators.classification", "peers")
        aim, start = asked.aim, asked.start
        network = estimators.PyTorchClassifier(
            model=asked.network,
            loss=nn.CrossEntropyLoss(),
            input_shape=tuple(start.shape[1:]),
            nb_classes=len(asked.model.classes),
            clip_values=(asked.low, asked.high),
            device_type="gpu" if start.device.type == "cuda" else "cpu",
        )
        targeted = aim.targets is not None
        built = kind(network, **self._given(kind, asked.radius, targeted=targeted))
        wanted = aim.labels if aim.targets is None else aim.targets
        found = built.generate(x=to_numpy(start), y=to_numpy(wanted))
        return torch.from_numpy(np.asarray(found, dtype=np.float32)).to(start.device)

    def _given(self, kind: Any, radius: float, *, targeted: bool) -> dict[str, Any]:
        """The settings of the attack: those of the user, and what is known of its ball and goal."""
        asks = signature(kind.__init__).parameters
        p = NORMS[self.norm].p
        known: dict[str, Any] = {
            "eps": radius,
            "norm": np.inf if p == torch.inf else int(p),
            "targeted": targeted,
            "verbose": False,
        }
        if "eps" in asks and "eps_step" in asks and asks["eps"].default:
            known["eps_step"] = radius * float(asks["eps_step"].default) / float(asks["eps"].default)
        return {name: value for name, value in known.items() if name in asks} | self.keywords()
