"""What the output has in common with the presence of each part of the input, under random masks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from probe.contracts import Explainer, Need, Sampled
from probe.errors import RangeError, Unsupported
from probe.explainers.alike import differs_from_reference
from probe.explainers.coalitions import Values, coalition_values, every_subset, to_coordinates
from probe.explainers.maps import enlarged
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs, Labels, PerFeature, Presence
from probe.tensors import exact, generator, spans

Masks = Float[Tensor, "samples one *sides"]
Shares = Float64[Tensor, "samples features"]  # how much of each feature a mask shows
Chances = Float64[Tensor, " samples"]


@dataclass(frozen=True, kw_only=True)
class Rise(Explainer):
    """The covariance of the output and the presence of each part under random masks, over its mean (arXiv:1806.07421).

    That is the paper's map, the mean output where a part is shown, less the mean output over all masks: a part that
    does not matter has 0. Without `cells` a part is a feature, shown as a whole or replaced by the space's reference
    rows, over which the output is averaged. Where there are no more than `samples` coalitions of features, each is
    evaluated once, and the values are exact. With `cells`, as in the paper, random grids of so many cells a side are
    enlarged to smooth masks and shifted at random; an image or a series is blended with the mean reference, and all
    channels share a place's value evenly. All inputs get the same masks.

    Values are in output units: of a linear model, 1 - keep of a feature's contribution. They do not sum to the output.
    Standard errors are over draws. A feature that equals its reference gets exactly 0 where no cells are set.

    Raises:
        RangeError: if there are more cells than pixels along a side.
        Unsupported: if the space has no reference, or cells are set for inputs that are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import Rise
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 2)))
    >>> Rise()(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values
    tensor([[ 0.5000, -0.2500]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    reads_as: ClassVar[str] = (
        "Where red is shown, the {output} of the answer is above its mean under random masks; where blue is, below."
    )

    samples: int = param(1000, "masks at most", low=2, high=10**7)
    keep: Number = param(0.5, "probability that a feature or a cell is shown", low=0.01, high=0.99)
    cells: int = param(0, "cells of a mask along a side of the image; 0 shows and hides features", low=0, high=10**4)
    seed: int = param(0, "seed of the masks", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        return self._by_cell(model, inputs, targets) if self.cells else self._by_feature(model, inputs, targets)

    def _by_feature(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        features, home = model.space.feature_count(inputs), exact(inputs.device)
        every = 2**features <= self.samples
        masks = every_subset(features) if every else self._drawn(features)
        shown, chances = masks.double().to(home), self._chances(masks, every=every).to(home)
        values = coalition_values(model, inputs, targets, masks.to(home), self.output)
        active = differs_from_reference(model.space, inputs)
        common, errors = (of * active for of in self._covariance(values, shown, chances, every=every))
        spread = [to_coordinates(of, model.space, inputs) for of in (common, errors)]
        return spread[0] if every else Sampled(*spread)

    def _by_cell(self, model: Model, inputs: Inputs, targets: Labels) -> Sampled:
        space, behind, home = model.space, model.space.baseline(inputs), exact(inputs.device)
        masks = self._smooth(model, inputs).to(behind)
        answers = []
        rows = torch.arange(len(inputs) * len(masks), device=inputs.device)
        for span in spans(len(rows), model.rows_per_pass(inputs)):
            row, mask = rows[span] // len(masks), masks[rows[span] % len(masks)]
            shown = behind + mask * (inputs[row] - behind)
            answers.append(model.target_outputs(shown, targets[row], self.output).to(home).double())
        values = torch.cat(answers).view(len(inputs), len(masks))
        # All channels share a place's value.
        share = (masks / inputs.shape[1]).to(home).double().expand(-1, *inputs.shape[1:])
        chances = self._chances(masks, every=False).to(home)
        found, _ = self._covariance(values, share.flatten(1), chances, every=False)
        _, errors = self._covariance(values, space.by_feature(share), chances, every=False)
        return Sampled(found.view(inputs.shape).to(inputs), to_coordinates(errors, space, inputs))

    def _covariance(
        self, values: Values, shown: Shares, chances: Chances, *, every: bool
    ) -> tuple[PerFeature, PerFeature]:
        """The covariance of the outputs with what is shown, over the chance to be shown, and its standard error."""
        off = values - (values @ chances)[:, None]
        apart = (shown - chances @ shown) / self.keep
        common = (off * chances) @ apart
        if every:
            return common, torch.zeros_like(common)
        count = len(shown)
        squares = (off.square() * chances) @ apart.square() - common.square()
        return common * count / (count - 1), (squares.clamp(min=0) / (count - 1)).sqrt()

    def _chances(self, masks: Tensor, *, every: bool) -> Chances:
        """The probability of each of all coalitions, or the share of each draw."""
        if not every:
            return torch.full((len(masks),), 1 / len(masks), dtype=torch.float64)
        sizes = masks.sum(1).double()
        return self.keep**sizes * (1 - self.keep) ** (masks.shape[1] - sizes)

    def _drawn(self, features: int) -> Presence:
        source = generator(self.seed, torch.device("cpu"))
        return torch.rand(self.samples, features, generator=source) < self.keep

    def _smooth(self, model: Model, inputs: Inputs) -> Masks:
        """Masks (samples, 1, *sides) with entries between 0 and 1."""
        form, sides = model.space.form_of(inputs), inputs.shape[2:]
        if not form.near:
            raise Unsupported(
                f"cells need images or series, but these inputs are {form.read_as}; set cells=0 to mask features"
            )
        if self.cells > min(sides):
            raise RangeError(f"Rise.cells = {self.cells}, expected at most {min(sides)}, the side of the input")
        source = generator(self.seed, torch.device("cpu"))
        grid = torch.rand(self.samples, 1, *[self.cells] * len(sides), generator=source) < self.keep
        size = [-(-side // self.cells) for side in sides]
        large = enlarged(grid.float(), [(self.cells + 1) * each for each in size])
        for axis, (each, side) in enumerate(zip(size, sides, strict=True), start=2):
            first = torch.randint(each, (self.samples,), generator=source)
            at = (first[:, None] + torch.arange(side)).view(-1, *[1] * (axis - 1), side, *[1] * (large.ndim - axis - 1))
            large = large.gather(axis, at.expand(*large.shape[:axis], side, *large.shape[axis + 1 :]))
        return large
