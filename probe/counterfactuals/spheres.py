"""Counterfactuals from random points in spheres that grow around the input."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from probe.contracts import Aim, Counterfactual, Need
from probe.counterfactuals.near import distance, put_back, refuse_unmoved
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Candidates, Inputs
from probe.tensors import generator, spans

LARGEST = 1e18  # its square is a number of 32 bits


class _Draw(NamedTuple):
    """Directions on the unit sphere, a place in each layer, and for categories a chance and a level, all uniform."""

    directions: Tensor  # (samples, *shape)
    places: Tensor  # (samples,)
    chances: Tensor  # (samples, features)
    levels: Tensor  # (samples, features)


@dataclass(frozen=True, kw_only=True)
class GrowingSpheres(Counterfactual):
    """The nearest of random points in a shell around the input, of the first shell that has any (arXiv:1712.08443).

    Shells grow by `growth`, from a ball of `radius` in units of the space's scale; a category is redrawn with a
    chance of a shell's radius. Features that are fixed by `Space.mutable` keep the input's values, whole numbers stay
    whole, and numbers stay within bounds. The nearest point that gets the wanted answer, by L1 in units of the scale,
    is then made sparse: features are put back, the least changed first, as long as the answer stays. It needs no
    gradients and always ends: where no shell has such a point, the candidate is the input itself. Shells that are too
    far to be computed with are left out. All inputs get the
    same draws.

    Raises:
        Unsupported: for words and graphs, whose values are no numbers to be moved by a little.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> from probe.counterfactuals import GrowingSpheres
        >>> model = Model(forward=lambda x: torch.stack([0.5 - x[:, 0], x[:, 0] - 0.5], 1), space=Space())
        >>> found = GrowingSpheres()(model, torch.tensor([[0.3, 0.8]]))
        >>> bool(found.reached.all()), bool(found.candidates[0, 0, 1] == 0.8)  # what does not matter is put back
        (True, True)
    """

    needs: ClassVar[frozenset[Need]] = frozenset()

    radius: Number = param(0.05, "radius of the first ball, in units of the space's scale", above=0.0)
    growth: Number = param(1.5, "factor by which each shell is wider than the one before", above=1.0)
    shells: int = param(12, "shells searched at most", low=1, high=1000)
    samples: int = param(200, "random points in each shell", low=1, high=10**6)
    seed: int = param(0, "seed of the points", low=0)

    def search(self, model: Model, inputs: Inputs, aim: Aim) -> Candidates:
        refuse_unmoved(self.name(), model, inputs)
        found = inputs.clone()
        left = torch.arange(len(inputs), device=inputs.device)
        source = generator(self.seed, torch.device("cpu"))
        low, high = 0.0, float(self.radius)
        for _ in range(self.shells):
            if self._beyond(model, inputs, high):
                break
            draw = self._draw(model, inputs, source)
            for some in spans(len(left), max(1, model.rows_per_pass(inputs) // self.samples)):
                rows = left[some]
                origins = inputs[rows].repeat_interleave(self.samples, 0)
                points = self._points(model, origins, draw, low, high)
                _, reached = aim[rows].repeated(self.samples).ask(points)
                far = distance(model, points, origins).masked_fill(~reached, torch.inf).view(len(rows), -1)
                nearest = points.view(len(rows), self.samples, *inputs.shape[1:])[
                    torch.arange(len(rows)), far.argmin(1)
                ]
                there = far.isfinite().any(1)
                found[rows[there]] = nearest[there]
            left = left[(found[left] == inputs[left]).flatten(1).all(1)]
            if not len(left):
                break
            low, high = high, high * self.growth
        return put_back(model, inputs, found, aim)[:, None]

    def _beyond(self, model: Model, inputs: Inputs, radius: float) -> bool:
        """Whether points of this shell are so far that sums and squares of their numbers are infinite."""
        most = min(LARGEST, torch.finfo(inputs.dtype).max / 8)
        return not radius * float(model.space.scale_of(inputs).abs().max()) < most

    def _draw(self, model: Model, inputs: Inputs, source: torch.Generator) -> _Draw:
        features = model.space.feature_count(inputs)
        directions = torch.randn(self.samples, *inputs.shape[1:], generator=source)
        length = (directions * self._moved(model, inputs).cpu()).flatten(1).norm(dim=1).clamp(min=1e-12)
        places, chances, levels = (
            torch.rand(size, generator=source)
            for size in ((self.samples,), (self.samples, features), (self.samples, features))
        )
        return _Draw(directions / length.view(-1, *[1] * (inputs.ndim - 1)), places, chances, levels)

    def _moved(self, model: Model, inputs: Inputs) -> Tensor:
        """Where numbers are moved: not in categories, nor in what is fixed."""
        return model.space.mutable_mask(inputs[:1])[0]

    def _points(self, model: Model, origins: Tensor, draw: _Draw, low: float, high: float) -> Tensor:
        """Points of one shell, each around its input: the radius is uniform between its ends."""
        space, times = model.space, len(origins) // self.samples
        length = (low + draw.places * (high - low)).view(-1, *[1] * (origins.ndim - 1))
        way = (length * draw.directions).to(origins) * space.scale_of(origins)
        way = torch.where(self._moved(model, origins), way, 0.0).repeat(times, *[1] * (origins.ndim - 1))
        moved = space.project(origins + way, origins)
        if "category" not in space.kinds:
            return moved
        flat, owner = (
            moved.flatten(1),
            space.coordinate_mask(torch.eye(len(space.kinds), dtype=torch.bool, device=origins.device), origins[:1]),
        )
        for at, kind in enumerate(space.kinds):
            columns = owner[at].flatten().nonzero()[:, 0]
            fixed = space.mutable is not None and not bool(space.mutable.flatten()[columns].all())
            if kind == "category" and not fixed:
                level = (draw.levels[:, at] * len(columns)).long().clamp(max=len(columns) - 1)
                drawn = torch.eye(len(columns))[level].to(flat).repeat(times, 1)
                redrawn = (draw.chances[:, at] < high).to(flat.device).repeat(times)[:, None]
                flat[:, columns] = torch.where(redrawn, drawn, flat[:, columns])
        return flat.view(moved.shape)
