"""An attack whose inputs survive being saved, such as to images of 8 bits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

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
from probe.threats import Threat

HAIR = 2e-6  # share of a radius; rounding is allowed five times as much


class _OfLevels(nn.Module):
    """A forward of levels. It is a module, so that the user's own is seen in it: its device, its layers."""

    def __init__(self, forward: Callable[..., Any], unit: float, low: float) -> None:
        super().__init__()
        self.inner, self.unit, self.low = forward, unit, low
        self.training = False

    def forward(self, levels: Tensor) -> Any:
        return self.inner(levels * self.unit + self.low)


@dataclass(frozen=True, kw_only=True)
class Quantised(Attack):
    """Another attack, each of whose points is one that a file of 8 bits holds.

    Inputs and bounds are measured in levels, 0 to 255 between the bounds of the space, and numbers of a change are
    whole: the attack rounds each of its points towards the input, within its ball. Nothing it finds is then undone by
    saving it, as rounding afterwards does. Inputs that come from such files are such levels themselves; of others, the
    change is a whole number of levels. Within less than a level nothing can move.

    `eps` and `goal` are those that count, whatever the attack has itself.

    Raises:
        Unsupported: if the attack has no radius, or the bounds of the space are not one finite pair.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD, Quantised
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> x, y = torch.tensor([[130.0], [140.0]]) / 255, torch.tensor([0, 0])
    >>> for attack in (PGD(eps=0.015), Quantised(eps=0.015)):  # 3.825 levels
    ...     print([round(float(level), 3) for level in attack(model, x, y).perturbed * 255])
    [126.175, 136.175]
    [127.0, 137.0]
    """

    attack: Attack | None = param(None, "the attack, with a radius; none: PGD")
    eps: Number = param(written("8/255"), "its radius, in units of the space's scale", low=0.0)
    levels: int = param(255, "levels above the lowest: 255 for 8 bits, 65535 for 16", low=1, high=2**16)

    @property
    def threat(self) -> Threat:
        return self._attack.threat

    @property
    def _attack(self) -> Attack:
        return self.attack or PGD()

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        refuse_unmet(self._attack, self._attack.needs, model)
        self._attack.check_threat(model, inputs)
        low, high = (torch.as_tensor(bound) for bound in model.space.bounds)
        if not self._attack.has_radius or low.numel() > 1 or high.numel() > 1 or not bool((high - low).isfinite()):
            raise Unsupported(
                f"{self.name()} takes an attack with a radius, and one finite pair of bounds; it has {self._attack} "
                f"and bounds {tuple(model.space.bounds)!s:.60}; write Quantised(attack=PGD()), and Space(bounds=(0, 1))"
            )

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, forward = model.space, model.forward
        low, high = (float(torch.as_tensor(bound)) for bound in space.bounds)
        unit, form = (high - low) / self.levels, space.form_of(inputs)
        kinds = form.kinds or ("continuous",) * space.feature_count(inputs)
        whole = replace(form, kinds=tuple("category" if kind == "category" else "integer" for kind in kinds))
        ends = (0.0, float(self.levels))
        counted = replace(space, bounds=ends, scale=space.scale / unit, form=whole, reference=None)
        asked = replace(model, forward=_OfLevels(forward, unit, low), space=counted)
        start = ((inputs - low) / unit).to(inputs.dtype)
        near = start.round()
        start = torch.where((start - near).abs() < 1e-3, near, start).clamp(0, self.levels)
        # A radius of whole levels must not become a hair less.
        aim = replace(aim, model=asked, budget=aim.budget * (1 + HAIR))
        moved = self._attack.at(self.eps).perturb(asked, start, aim)
        return torch.where(moved == start, inputs, (moved * unit + low).clamp(low, high).to(inputs.dtype))
