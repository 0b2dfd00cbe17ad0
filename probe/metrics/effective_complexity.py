"""Effective complexity: how many of the top features does the output need?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.method import param
from probe.metrics.faithfulness import Curve, Curves
from probe.metrics.masked import Kept
from probe.numbers import Number
from probe.shapes import Evidence, PerFeature


@dataclass(frozen=True, kw_only=True)
class EffectiveComplexity(Curve):
    """How few of the top features keep the output, against random features (arXiv:2007.07584).

    Features are added one after another, those with the largest absolute values first, to the mean reference. Evidence
    is the share of features from which on the output stays within `tolerance` of that of the input, in parts of what
    all features change, in (0, 1]; the same averaged over random orders; and the smallest share on the curve, the best
    possible. The value is the lead over random as a share of the best possible lead, at most 1: higher is better, and
    0 is no better than a random order. A model that uses many features alike keeps any explanation from 1, whose value
    then says how few features are enough. Features that equal the mean reference are left out, and an example whose
    output all features together do not change counts for nothing.

    Raises:
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import EffectiveComplexity
    >>> weights = torch.tensor([[8.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])  # the first feature is all there is
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 4)))
    >>> found = InputXGradient()(model, torch.ones(1, 4), torch.tensor([0]))
    >>> EffectiveComplexity()(model, found).value
    1.0
    """

    reduction: ClassVar[str] = "skill"
    title: ClassVar[str] = "few top features keep the output"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    tolerance: Number = param(
        0.1, "distance from the output that counts as the same, in parts of the whole change", low=0
    )

    def _kept(self, moved: Kept) -> Kept:
        return moved

    def _ordered(self, values: PerFeature) -> PerFeature:
        return values.abs()

    def _read(self, curve: Curves, share: Curves) -> Evidence:
        whole = (curve[..., -1:] - curve[..., :1]).abs()
        rounding = 8 * torch.finfo(curve.dtype).eps * curve[..., -1:].abs()
        off = (curve - curve[..., -1:]).abs() > self.tolerance * whole + rounding
        # Before the first point from which on none is off.
        before = off.to(torch.uint8).flip(-1).cummax(-1).values.flip(-1).sum(-1, keepdim=True)
        needed = share.gather(-1, before.clamp(max=share.shape[-1] - 1))[..., 0]
        least = share[:, 0].masked_fill(share[:, 0] <= 0, 1.0).amin(-1)
        found = torch.stack([needed[:, 0], needed[:, 1:].mean(1), least], dim=1)
        return torch.where((whole > rounding)[:, 0], found, 0.0)
