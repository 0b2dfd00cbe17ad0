"""Changes made on one model to mislead another."""

from dataclasses import dataclass

import torch
from torch import Tensor

from probe.attacks.ascent import GradientAttack
from probe.ball import place, uphill
from probe.contracts import Aim
from probe.draws import again, keys, uniform
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, wide


@dataclass(frozen=True, kw_only=True)
class TransferAttack(GradientAttack):
    """Momentum steps whose changes carry over to other models: NI-FGSM, DI and TI in one.

    The gradients are summed as in `MIFGSM`. With `ahead` each is taken where the sum so far leads (NI, Lin et al.
    2020, arXiv:1908.06281); with `diversity` it is that of the image made smaller, at a random place of a black one
    (DI, Xie et al. 2019, arXiv:1803.06978); with `blur` it is smoothed over pixels near each other (TI, Dong et al.
    2019, arXiv:1904.02884). Without the three it is MI-FGSM. The last two are for images; other inputs go without.

    It takes all steps, as a change that has just reached the goal seldom misleads another model: of the points that
    reach the goal, else of all, the one with the highest loss is kept. Each step asks once more for the loss of its
    point. To use it, attack a model of your own, and ask the other one about `found.perturbed`.

    From `fashion-cnn`, at 16/255 in ten steps of 200 images, it misleads `fashion-resnet` about 135 of the 189 that it
    is right about and `fashion-mlp` about 12 of 181; without the three 132 and 7; `MIFGSM` 30 and 3. The further the
    other model's architecture is, the more `blur` pays: with 1, 124 and 24.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import TransferAttack
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> other = Model(forward=lambda x: x @ weights - torch.tensor([0.2, 0.0]), classes=("yes", "no"))
    >>> x, y = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0])
    >>> found = TransferAttack(eps="1/4")(model, x, y)
    >>> found.success, other.predict(found.perturbed) != y
    (tensor([ True, False]), tensor([ True, False]))
    """

    steps: int = param(10, "gradient steps", low=1)
    step: Number | None = param(None, "length of every step, in radii; by default 1/steps", above=0.0)
    decay: float = param(1.0, "decay factor of the sum of past gradients", low=0.0)
    ahead: bool = param(True, "take each gradient where the sum of the past ones leads")
    diversity: float = param(0.5, "share of the gradients that are of a smaller image", low=0.0, high=1.0)
    smallest: float = param(0.9, "least side of a smaller image, in parts of the whole", above=0.0, high=1.0)
    blur: float = param(0.5, "standard deviation of the smoothing of gradients, in pixels; 0 for none", low=0.0)
    seed: int = param(0, "seed of sizes and places of smaller images", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, norm, origin, keyed = model.space, NORMS[self.norm], wide(inputs), keys(inputs, self.seed)
        unit, free = space.scale_of(origin), space.mutable_mask(inputs)
        length = ((1 / self.steps if self.step is None else self.step) * aim.budget).to(origin.dtype)
        # A sum with entries of mean size 1 leads as far as a step does.
        reach = column(self.decay * length / origin[0].numel() ** (1 / norm.p), origin)
        best, highest = inputs.clone(), torch.full_like(aim.budget, -torch.inf)
        broken, point, total = torch.zeros_like(aim.rows, dtype=torch.bool), inputs, torch.zeros_like(origin)
        for at in range(self.steps + 1):
            loss, reached = aim.ask(point)
            better = (reached & ~broken) | ((reached == broken) & (loss > highest))
            best, highest = torch.where(column(better, best), point, best), torch.where(better, loss, highest)
            broken = broken | reached
            if at == self.steps:
                break
            here = wide(point)
            if self.ahead:
                here = space.project(here + unit * reach * total, origin)
            gradient = torch.where(free, self._slope(space, aim, here, origin, again(keyed, at), inputs.dtype), 0.0)
            total = self.decay * total + _even(gradient * unit)
            change = space.scaled_change(wide(point), origin) + uphill(space, norm, point, total, length)
            point = place(space, inputs, change, norm.p, aim.budget)
        return best

    def _slope(self, space: Space, aim: Aim, here: Tensor, origin: Tensor, keyed: Tensor, dtype: torch.dtype) -> Tensor:
        """The gradient, of a smaller image and smoothed where that is wanted."""
        if here.ndim != 4:
            return wide(aim.slope(here.to(dtype))[2])
        drawn = uniform(keyed, here.flatten(1)[:, :0], 4)
        drawn[:, 1] = torch.where(drawn[:, 0] < self.diversity, drawn[:, 1], 1.0)
        down, across = (
            _smaller(here.shape[axis], self.smallest, drawn[:, 1], drawn[:, axis]) for axis in (2, 3)
        )  # (batch, 1, side, side)
        seen = space.project(down @ here @ across.mT, origin)
        gradient = torch.where(space.mutable_mask(seen), wide(aim.slope(seen.to(dtype))[2]), 0.0)
        gradient = down.mT @ gradient @ across
        if self.blur:
            gradient = _smooth(here.shape[2], self.blur, here) @ gradient @ _smooth(here.shape[3], self.blur, here)
        return gradient


def _even(gradient: Tensor) -> Tensor:
    """The gradient, with entries of mean size 1."""
    # Divided by the largest entry first, so that the mean of a faint gradient does not underflow.
    largest = column(gradient.flatten(1).abs().amax(1), gradient)
    gradient = torch.where(largest > 0, gradient / torch.where(largest > 0, largest, 1.0), 0.0)
    mean = column(gradient.flatten(1).abs().mean(1), gradient)
    return gradient / torch.where(mean > 0, mean, 1.0)


def _smaller(side: int, smallest: float, share: Tensor, shift: Tensor) -> Tensor:
    """For each example the matrix that makes a row of pixels smaller and puts it at its place among zeros.

    Linear interpolation; `share` of 1 leaves the row as it is.
    """
    least = min(side, max(1, round(smallest * side)))
    size = (least + (share * (side - least + 1)).floor()).clamp(max=side)
    first = (shift * (side - size + 1)).floor()
    places = torch.arange(side, device=share.device, dtype=share.dtype)
    target = places - first[:, None]  # which pixel of the smaller row is at each place
    source = ((target + 0.5) * (side / size)[:, None] - 0.5).clamp(0, side - 1)
    weight = (1 - (source[:, :, None] - places).abs()).clamp(min=0)
    inside = (target >= 0) & (target < size[:, None])
    return (weight * inside[:, :, None])[:, None]


def _smooth(side: int, deviation: float, like: Tensor) -> Tensor:
    places = torch.arange(side, device=like.device, dtype=like.dtype)
    return (-((places[:, None] - places) / deviation).square() / 2).exp()
