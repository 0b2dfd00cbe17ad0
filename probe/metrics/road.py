"""ROAD: remove the top pixels of an image by filling them in from those around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from probe.contracts import Metric
from probe.contracts.metric import Follows, Whole, areas
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.masked import judged
from probe.model import Model
from probe.numbers import Number
from probe.results import Attribution
from probe.shapes import Evidence, Inputs, PerFeature
from probe.space import Space
from probe.tensors import generator, spans, wide

Ranks = Int[Tensor, "batch orders features"]  # the place of each feature in each order
Missing = Bool[Tensor, "images channels height width"]
Drawn = Float[Tensor, "batch 3 places"]  # the curve of the attribution's order, the mean of random ones, the share
Images = Float[Tensor, "images channels height width"]

_EXACT, _MOST = 1e-5, 2000  # residual of the linear system, relative to its start; steps at most


@dataclass(frozen=True, kw_only=True)
class ROAD(Metric[Attribution]):
    """How much faster the output falls when the top pixels are filled in first than in random order (arXiv:2202.00449).

    Like Deletion, but removed pixels become the weighted mean of their eight neighbours (direct ones 1/6, diagonal ones
    1/12), with a little noise. All removed pixels of an image are solved for at once, as a sparse linear system, so
    that the model sees images without holes, whose shape would tell the class by itself. Features are those of the
    space, or whole pixels where each coordinate is its own. Evidence is the area under the curve of the output over
    the share of features removed, up to `most`, for the attribution's order and averaged over random orders. The value
    is random minus own, in output units, within [-1, 1] for probabilities; higher is better, and 0 is no better than a
    random order.

    Raises:
        Unsupported: if inputs are not images (channels, height, width).

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import ROAD
    >>> model = Model(forward=lambda x: torch.stack([9 * x[:, 0, 0, 0], 0 * x[:, 0, 0, 0]], 1))
    >>> image = torch.zeros(1, 1, 4, 4)
    >>> image[0, 0, 0, 0] = 1
    >>> ROAD()(model, InputXGradient()(model, image, torch.tensor([0]))).value > 0.2  # the only pixel that matters
    True
    """

    aspect: ClassVar[Aspect] = "explanation"
    follows: ClassVar[Follows] = "partly"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "random minus own"
    threshold: ClassVar[float | None] = 0.0  # no better than a random order
    title: ClassVar[str] = "filling in beats random order"
    whole: ClassVar[Whole] = "start"
    columns: ClassVar[tuple[str, ...]] = ("own", "random")
    alike: ClassVar[tuple[str, ...]] = ("random",)

    steps: int = param(8, "points on the curve after its start", low=1, high=10**4)
    most: float = param(0.9, "share of features that is removed at the end of the curve", low=0.0, high=1.0)
    random_orders: int = param(4, "random orders to compare with, the same for all examples", low=1, high=10**4)
    noise: Number = param(0.01, "standard deviation of the noise, in units of the space's scale", low=0.0)
    seed: int = param(0, "seed of the noise and the random orders", low=0)

    def suits(self, result: Attribution) -> bool:
        return result.inputs.ndim == 4 and result.inputs.is_floating_point()

    def notes(self, model: Model) -> Mapping[str, str]:
        return {
            "pass": "better than random order",
            "fail": "worse than random order",
            "inconclusive": "not distinguishable from random order",
        }

    def measure(self, model: Model, result: Attribution) -> Evidence:
        return areas(self.curves(model, result))

    def curves(self, model: Model, result: Attribution) -> Drawn:
        """The curve of the attribution's order, the mean of random ones, and the share of features removed."""
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        if not self.suits(result):
            raise Unsupported(
                f"{self.name()} fills in pixels of images (channels, height, width), and these inputs have the shape "
                f"{tuple(inputs.shape[1:])}; use Deletion, which needs no neighbours"
            )
        space = _whole_pixels(model.space, inputs)
        ranks = self._ranks(space.by_feature(wide(result.values).to(inputs.device)))
        counts = self._counts(ranks.shape[2]).to(inputs.device)
        noise = self._noise(model, inputs)
        kind, orders = judged(result), ranks.shape[1]
        curves = [model.target_outputs(inputs, targets, kind)[:, None].expand(-1, orders)]
        many, theirs = inputs.repeat_interleave(orders, 0), targets.repeat_interleave(orders)
        for count, grain in zip(counts, noise, strict=True):
            points = self._removed(model, space, many, (ranks < count).flatten(0, 1), grain)
            curves.append(model.target_outputs(points, theirs, kind).view(-1, orders))
        share = torch.cat([counts.new_zeros(1), counts]).to(curves[0].dtype) / ranks.shape[2]
        curve = torch.stack(curves, -1)
        return torch.stack([curve[:, 0], curve[:, 1:].mean(1), share.expand(len(curve), -1)], 1)

    def _ranks(self, importance: PerFeature) -> Ranks:
        own = importance.argsort(dim=1, descending=True, stable=True)
        source = generator(2 * self.seed, torch.device("cpu"))
        noise = torch.rand((self.random_orders + 1) // 2, importance.shape[1], generator=source)
        # Each order is paired with its reverse, so that few orders give a stable mean.
        random = torch.cat([noise, -noise])[: self.random_orders].argsort(1).to(own.device)
        return torch.cat([own[:, None], random.expand(len(own), -1, -1)], 1).argsort(2)

    def _counts(self, features: int) -> Tensor:
        """How many features are removed at each point; never all, as then nothing is left to fill in from."""
        share = torch.linspace(0, self.most, self.steps + 1, dtype=torch.float64)[1:]
        return (share * features).round().long().clamp(max=features - 1)

    def _noise(self, model: Model, inputs: Inputs) -> Tensor:
        """The noise at each point of the curve, the same for all examples and orders."""
        source = generator(2 * self.seed + 1, torch.device("cpu"))
        drawn = torch.randn(self.steps, 1, *inputs.shape[1:], generator=source)
        return self.noise * model.space.scale_of(inputs) * drawn.to(inputs)

    def _removed(self, model: Model, space: Space, inputs: Inputs, gone: Tensor, noise: Tensor) -> Inputs:
        missing = space.coordinate_mask(gone, inputs)
        size = model.rows_per_pass(inputs)
        parts = [filled_in(wide(inputs[rows]), missing[rows]) for rows in spans(len(inputs), size)]
        return model.space.clip(torch.where(missing, torch.cat(parts).to(inputs) + noise, inputs))


def filled_in(images: Images, missing: Missing) -> Images:
    """Images whose missing pixels are the weighted mean of their neighbours, by conjugate gradients on all at once.

    The system is the graph Laplacian of the missing pixels: symmetric, and positive definite where a channel has a
    pixel left. One without any becomes 0. What is solved for one image does not depend on the others.
    """
    flat, gone = images.flatten(0, 1)[:, None], missing.flatten(0, 1)[:, None].to(images.dtype)
    known = flat * (1 - gone)
    weights = _around(torch.ones_like(flat))
    start = known.sum((1, 2, 3), keepdim=True) / (1 - gone).sum((1, 2, 3), keepdim=True).clamp(min=1)

    found = start * gone
    right = gone * _around(known)
    residual = right - _laplacian(found, gone, weights)
    direction, square = residual, _square(residual)
    enough = _EXACT**2 * (_square(right) + square)  # in the dark the right side is 0
    for _ in range(_MOST):
        going = square > enough
        if not bool(going.any()):
            break
        applied = _laplacian(direction, gone, weights)
        length = torch.where(going, square / (direction * applied).sum((1, 2, 3), keepdim=True), 0.0)
        found, residual = found + length * direction, residual - length * applied
        before, square = square, torch.where(going, _square(residual), square)
        direction = torch.where(
            going, residual + square / before.clamp(min=torch.finfo(square.dtype).tiny) * direction, direction
        )
    return (known + found).view_as(images)


def _laplacian(images: Tensor, gone: Tensor, weights: Tensor) -> Tensor:
    """How far missing pixels are above the mean of their neighbours, of which those that are known count as 0."""
    return gone * (weights * images - _around(images))


def _around(images: Tensor) -> Tensor:
    """The sum of the eight neighbours, direct ones weighted 1/6 and diagonal ones 1/12."""
    # Sums of shifted copies: a convolution of one channel takes a hundred times as long for few images.
    wider = pad(images, (1, 1, 1, 1))
    rows = wider[..., :-2, :] + 2 * wider[..., 1:-1, :] + wider[..., 2:, :]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:] - 4 * images) / 12


def _square(images: Tensor) -> Tensor:
    return images.square().sum((1, 2, 3), keepdim=True)


def _whole_pixels(space: Space, inputs: Inputs) -> Space:
    """The features of the space; whole pixels where each coordinate is its own."""
    if space.features is not None:
        return Space(features=space.features)
    pixels = torch.arange(inputs[0, 0].numel(), device=inputs.device).view(1, *inputs.shape[2:])
    return Space(features=pixels.expand(inputs.shape[1:]).contiguous())
