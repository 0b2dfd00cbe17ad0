"""Infidelity: how far changes in output are from what an attribution says of them."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Explainer
from probe.method import param
from probe.metrics.masked import Masked
from probe.metrics.subsets import Explanations, Subsets, against_random, dropped, summed
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerFeature
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class Infidelity(Subsets):
    """Squared error of the changes in output that an attribution predicts, against random values (arXiv:1901.09392).

    Random subsets of all sizes are replaced by the mean reference. The predicted fall of the output that was explained
    is the sum of the values of the removed features; of a gradient, the sum of the gradient times the change. Evidence
    is the infidelity, which is the mean squared error of the prediction in squared output units, its mean over random
    explanations with the same values in another order, and 0, the best possible. The value is 1 minus own over random,
    at most 1: higher is better, 1 is a perfect prediction, and 0 is no better than random. Where `rescaled`,
    each explanation is first multiplied by the factor that fits best, as in the paper, but by none below 0, so that
    values of any scale compare. Features that equal the mean reference are left out. `baseline` names what stands in
    place of the mean reference, as of Deletion.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import Infidelity
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [1.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 5)))
    >>> found = Saliency()(model, torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5]]), torch.tensor([0]))
    >>> round(Infidelity()(model, found).value, 4)
    1.0
    """

    title: ClassVar[str] = "predicts changes"

    rescaled: bool = param(True, "multiply the values by the factor that fits best before they are compared")

    def _values(self, model: Model, result: Attribution) -> PerFeature:
        values, inputs = wide(result.values), result.inputs
        # The values of token ids are already those of their embeddings, summed.
        if isinstance(result.method, Explainer) and result.method.slopes and model.embed is None:
            values = values * wide(inputs - self.behind(model, inputs))
        return model.space.by_feature(values)

    def _part(self, masked: Masked, rows: slice, values: Explanations) -> Evidence:
        active = masked.active[rows]
        count = active.sum(1, keepdim=True)
        share = torch.linspace(0, 1, self.samples, dtype=torch.float64)
        sizes = (1 + share * (count - 1)).round().long().minimum(count)
        removed = self._removed(active, sizes)
        sums, drops = summed(values, removed), dropped(masked, rows, removed)[:, None]
        if self.rescaled:
            square = sums.square().sum(-1, keepdim=True)
            fit = (sums * drops).sum(-1, keepdim=True) / square.clamp(min=torch.finfo(square.dtype).tiny)
            sums = fit.clamp(min=0) * sums  # what predicts the opposite is not turned round
        found = (sums - drops).square().mean(-1)
        return against_random(found, torch.zeros(len(found)))
