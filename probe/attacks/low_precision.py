"""An attack that searches in half precision, and counts only what single precision confirms."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from probe.attacks.gradient import PGD
from probe.contracts import Aim, Attack
from probe.contracts.common import refuse_unmet
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.tensors import parted
from probe.threats import Threat


class _Half(nn.Module):
    """A forward that computes in half precision where torch holds that safe.

    It is a module, so that the user's own is seen in it: its device, its layers.
    """

    def __init__(self, forward: Callable[..., Any], dtype: torch.dtype) -> None:
        super().__init__()
        self.inner, self.precision = forward, dtype
        self.training = False

    def forward(self, inputs: Tensor) -> Any:
        with torch.autocast(inputs.device.type, dtype=self.precision):
            outputs = self.inner(inputs)
        return outputs.to(inputs.dtype) if isinstance(outputs, Tensor) else outputs


@dataclass(frozen=True, kw_only=True)
class LowPrecision(Attack):
    """Another attack, which asks the network in half precision; what it finds is asked again in the network's own.

    The search takes half of the memory and a part of the time on a GPU that computes in bfloat16 or float16; on a CPU
    it is slower. Float16 ends at 65,504: where a network computes larger numbers, choose bfloat16. Inputs, steps and
    the ball stay in the precision of the inputs. An example counts only if the network itself is wrong on it. Those
    that were wrong in half precision alone are attacked `again` without it; how many there were,
    `Perturbation.unconfirmed` says, and the result prints it.

    `eps` and `goal` are those that count, whatever the attack has itself.

    Raises:
        Unsupported: if the attack has no radius, or the model is no nn.Module of float32 inputs.

    >>> import torch
    >>> from torch import nn
    >>> from probe import Model
    >>> from probe.attacks import LowPrecision
    >>> net = nn.Linear(1, 2).eval()
    >>> net.weight.data, net.bias.data = torch.tensor([[4.0], [-4.0]]), torch.tensor([-2.0, 2.0])
    >>> model = Model(forward=net, classes=("high", "low"))
    >>> found = LowPrecision(eps=0.2)(model, torch.tensor([[0.6], [0.9]]), torch.tensor([0, 0]))
    >>> found.success, found.unconfirmed
    (tensor([ True, False]), tensor([False, False]))
    """

    attack: Attack | None = param(None, "the attack, with a radius; none: PGD")
    eps: Number = param(written("8/255"), "its radius, in units of the space's scale", low=0.0)
    dtype: Literal["bfloat16", "float16"] = param("bfloat16", "precision of the search")
    again: bool = param(True, "whether examples that are not confirmed are attacked again in the network's precision")

    @property
    def threat(self) -> Threat:
        return self._attack.threat

    @property
    def _attack(self) -> Attack:
        return self.attack or PGD()

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        refuse_unmet(self._attack, self._attack.needs, model)
        self._attack.check_threat(model, inputs)
        if not isinstance(model.forward, nn.Module):
            raise Unsupported(
                f"{self.name()} has torch compute a network in half precision, and {model.name} is a function that may "
                f"compute elsewhere; attack it by {self._attack.name()} itself, or give an nn.Module"
            )
        if not self._attack.has_radius or inputs.dtype != torch.float32:
            raise Unsupported(
                f"{self.name()} takes an attack with a radius, and inputs of float32; it has {self._attack} and inputs "
                f"of {str(inputs.dtype).removeprefix('torch.')}; write LowPrecision(attack=PGD()), and inputs.float()"
            )

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        halved = replace(model, forward=_Half(model.forward, getattr(torch, self.dtype)))
        attack = self._attack.at(self.eps)
        found = attack.perturb(halved, inputs, replace(aim, model=halved))
        _, claimed = replace(aim, model=halved).ask(found)
        _, reached = aim.ask(found)
        rows = parted(claimed & ~reached)[1]
        if model.meter is not None:
            model.meter.unconfirmed = torch.zeros_like(model.meter.forward, dtype=torch.bool)
            model.meter.unconfirmed[aim.rows[rows]] = True
        if len(rows) and self.again:
            found[rows] = attack.perturb(model, inputs[rows], aim[rows])
        return found
