"""Gradients averaged over paths from all references."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.contracts import Explainer, Need, Sampled
from probe.explainers.coalitions import to_coordinates
from probe.explainers.path import gradients
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, PerFeature
from probe.tensors import exact, generator, spans

Chosen = Int[Tensor, " draws"]
Places = Float64[Tensor, " draws"]

_HELD = 2**22  # values of draws that are held at a time, 32 MiB


@dataclass(frozen=True, kw_only=True)
class ExpectedGradients(Explainer):
    """The mean of integrated gradients over all reference rows, from random points on the paths (arXiv:1906.10670).

    Each draw takes a reference row and a place on the straight path from it to the input, and multiplies the gradient
    there by the length of the path. Reference rows are drawn equally often, up to one, and one place lies in each of
    `draws` equal parts of the path, so that fewer draws are needed than of independent ones. All inputs get the same.

    Values are in output units. With many draws they sum to the output minus its mean over the references; the metric
    `Completeness` measures how far they are from that. A number that is missing in a reference row is taken from the
    mean reference. Standard errors are over draws: of what is left of each draw after the mean of its reference row and
    what changes evenly along the path, since both are drawn evenly. With less than two draws of each row they are on
    the safe side, as if rows were drawn freely. Tokens have none.

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

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        features = model.space.feature_count(inputs)
        if self.draws < 3 or self.draws * features > _HELD:
            return self._mean(model, inputs, targets)[0]
        some = list(spans(len(inputs), max(1, _HELD // (self.draws * features))))
        parts = [self._mean(model, inputs[rows], targets[rows]) for rows in some]
        which, places = drawn(self.draws, len(model.space.references(inputs)), self.seed)
        errors = torch.cat([_errors(each.cpu(), which, places) for _, each in parts])
        spread = to_coordinates(errors.to(exact(inputs.device)), model.space, inputs)
        return Sampled(torch.cat([values for values, _ in parts]), spread)

    def _mean(self, model: Model, inputs: Inputs, targets: Labels) -> tuple[Tensor, Tensor]:
        """The mean over draws, and the value of each feature in each draw, (draws, batch, features)."""
        references = model.space.references(inputs)
        references = torch.where(references.isnan(), model.space.baseline(inputs), references)
        which, places = drawn(self.draws, len(references), self.seed)
        total, each = torch.zeros(inputs.shape, dtype=torch.float64, device=exact(inputs.device)), []
        for span in spans(self.draws, max(1, model.rows_per_pass(inputs) // len(inputs))):
            behind = references[which[span].to(inputs.device)][:, None]
            place = places[span].to(inputs.dtype).to(inputs.device).view(-1, *[1] * inputs.ndim)
            length = inputs - behind
            asked = targets.repeat(len(length), *[1] * (targets.ndim - 1))
            found = gradients(model, (behind + place * length).flatten(0, 1), asked, self.output)
            gained = (found.view(length.shape) * length).to(total.device).double()
            total += gained.sum(0)
            if self.draws * model.space.feature_count(inputs) <= _HELD:
                each.append(model.space.by_feature(gained.flatten(0, 1)).view(*gained.shape[:2], -1))
        return (total / self.draws).to(inputs), torch.cat(each) if each else torch.empty(0)


def _errors(each: Tensor, which: Chosen, places: Places) -> PerFeature:
    """Standard errors of the mean of draws (draws, batch, features), of which rows and places are drawn evenly."""
    draws, rows = len(each), int(which.max()) + 1
    freedom = draws
    if draws >= 2 * rows:
        sums = torch.zeros(rows, *each.shape[1:], dtype=each.dtype).index_add_(0, which, each)
        each = each - (sums / torch.bincount(which, minlength=rows).view(-1, 1, 1))[which]
        freedom = draws - rows
    # What changes evenly along the path is nearly the same for neighbours.
    steps = each[places.argsort()].diff(dim=0)
    return (steps.square().mean(0) / 2 * draws / freedom / draws).sqrt()


def drawn(draws: int, references: int, seed: int) -> tuple[Chosen, Places]:
    """The reference row and the place on the path of each draw."""
    source = generator(seed, torch.device("cpu"))
    rounds = [torch.randperm(references, generator=source) for _ in range(-(-draws // references))]
    parts = torch.randperm(draws, generator=source) + torch.rand(draws, generator=source, dtype=torch.float64)
    return torch.cat(rounds)[:draws], parts / draws
