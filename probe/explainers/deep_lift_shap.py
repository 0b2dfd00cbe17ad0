"""DeepLIFT, averaged over all references."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.contracts import Explainer, Need
from probe.explainers.deep_lift import lifted
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import exact, spans


@dataclass(frozen=True, kw_only=True)
class DeepLiftShap(Explainer):
    """The mean of `DeepLift` over all reference rows as baselines (arXiv:1705.07874).

    It approximates Shapley values: exactly for linear models and sums of products of two features, else as far as
    operations can be taken one by one. Rules, and what is refused, are those of `DeepLift`. A number that is missing in
    a reference row is taken from the mean reference.

    Values are in output units and sum to the output minus its mean over the references. It costs one pass of two rows
    for each reference.

    Raises:
        Unsupported: if the space has no reference, an operation has no rule, or values do not add up.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import DeepLiftShap
    >>> forward = lambda x: torch.stack([x[:, 0] * x[:, 1], x[:, 0]], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.tensor([[0.0, 0.0], [1.0, 0.0]])))
    >>> DeepLiftShap()(model, torch.tensor([[1.0, 1.0]]), torch.tensor([0])).values
    tensor([[0.2500, 0.7500]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        references = model.space.references(inputs)
        references = torch.where(references.isnan(), model.space.baseline(inputs), references)
        count, home = len(references), exact(inputs.device)
        total = torch.zeros(inputs.shape, dtype=torch.float64, device=home)
        for span in spans(len(inputs) * count, max(1, model.rows_per_pass(inputs) // 2)):
            pair = torch.arange(span.start, span.stop, device=inputs.device)
            row = pair // count
            found = lifted(self, model, inputs[row], references[pair % count], targets[row])
            total.index_add_(0, row.to(home), found.to(home).double())
        return (total / count).to(inputs)
