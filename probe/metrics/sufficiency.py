"""Sufficiency: do the top features alone give the output?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts.metric import Follows
from probe.metrics.faithfulness import Curve, Curves
from probe.metrics.masked import Kept
from probe.shapes import Evidence, PerFeature


@dataclass(frozen=True, kw_only=True)
class Sufficiency(Curve):
    """How nearly the top features alone give the output, against random features (arXiv:1911.03429).

    Features are added one after another, those with the largest absolute values first, to the mean reference, up to
    half of them. Evidence is the distance from the output of the whole input, averaged over these points, in output
    units; the same for random orders; and 0, the best possible. The value is 1 minus own over random, at most 1: higher
    is better, 1 is the whole output from the first features on, and 0 is no better than a random order. Unlike
    Insertion it counts an output above that of the input as a distance too. Features that equal the mean reference are
    left out. `baseline` names what stands in place of the mean reference, as of Deletion.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import Sufficiency
    >>> weights = torch.tensor([[8.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])  # the first feature is all there is
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 4)))
    >>> found = InputXGradient()(model, torch.ones(1, 4), torch.tensor([0]))
    >>> Sufficiency()(model, found).value
    1.0
    """

    reduction: ClassVar[str] = "skill"
    title: ClassVar[str] = "top features suffice"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")
    alike: ClassVar[tuple[str, ...]] = ("random", "best")
    follows: ClassVar[Follows] = "partly"

    def _kept(self, moved: Kept) -> Kept:
        return moved

    def _ordered(self, values: PerFeature) -> PerFeature:
        return values.abs()

    def _read(self, curve: Curves, share: Curves) -> Evidence:
        few = ((share > 0) & (share <= 0.5)).to(curve.dtype)
        far = ((curve - curve[..., -1:]).abs() * few).sum(-1) / few.sum(-1).clamp(min=1)
        return torch.stack([far[:, 0], far[:, 1:].mean(1), torch.zeros_like(far[:, 0])], dim=1)
