"""Gradients averaged over paths from all references."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.contracts import Explainer, Need
from probe.explainers.path import gradients
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import exact, generator, spans

Chosen = Int[Tensor, " draws"]
Places = Float64[Tensor, " draws"]


@dataclass(frozen=True, kw_only=True)
class ExpectedGradients(Explainer):
    """The mean of integrated gradients over all reference rows, from random points on the paths (arXiv:1906.10670).

    Each draw takes a reference row and a place on the straight path from it to the input, and multiplies the gradient
    there by the length of the path. Reference rows are drawn equally often, up to one, and one place lies in each of
    `draws` equal parts of the path, so that fewer draws are needed than of independent ones. All inputs get the same.

    Values are in output units. With many draws they sum to the output minus its mean over the references; the metric
    `Completeness` measures how far they are from that. A number that is missing in a reference row is taken from the
    mean reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import ExpectedGradients
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> space = Space(reference=torch.tensor([[0.0, 0.0], [0.5, 1.0]]))
    >>> model = Model(forward=lambda x: x @ weights, space=space, classes=("yes", "no"))
    >>> ExpectedGradients()(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values.round(decimals=4)
    tensor([[0.5000, 0.0000]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"

    draws: int = param(200, "points at which the gradient is taken", low=1, high=10**7)
    seed: int = param(0, "seed of the reference rows and places", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        references = model.space.references(inputs)
        references = torch.where(references.isnan(), model.space.baseline(inputs), references)
        which, places = drawn(self.draws, len(references), self.seed)
        total = torch.zeros(inputs.shape, dtype=torch.float64, device=exact(inputs.device))
        for span in spans(self.draws, max(1, model.rows_per_pass(inputs) // len(inputs))):
            behind = references[which[span].to(inputs.device)][:, None]
            place = places[span].to(inputs.dtype).to(inputs.device).view(-1, *[1] * inputs.ndim)
            length = inputs - behind
            asked = targets.repeat(len(length), *[1] * (targets.ndim - 1))
            found = gradients(model, (behind + place * length).flatten(0, 1), asked, self.output)
            total += (found.view(length.shape) * length).to(total.device).double().sum(0)
        return (total / self.draws).to(inputs)


def drawn(draws: int, references: int, seed: int) -> tuple[Chosen, Places]:
    """The reference row and the place on the path of each draw."""
    source = generator(seed, torch.device("cpu"))
    rounds = [torch.randperm(references, generator=source) for _ in range(-(-draws // references))]
    parts = torch.randperm(draws, generator=source) + torch.rand(draws, generator=source, dtype=torch.float64)
    return torch.cat(rounds)[:draws], parts / draws
