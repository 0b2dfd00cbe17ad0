"""Any change within one square of an image."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from probe.ball import room
from probe.contracts import Aim, Attack, Need
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import column, parted, wide
from probe.things import check_image
from probe.threats import Patch, Threat

FIRST, LAST = 1.0, 0.02  # lengths of the first and the last step, as shares of the range of a pixel
MOMENTUM = 0.5  # share of the last direction in the next


@dataclass(frozen=True, kw_only=True)
class PatchAttack(Attack):
    """A square of an image, of any content, where it does most (LaVAN, Karmon et al. 2018, arXiv:1801.02608).

    Squares are chosen by how much the loss would rise to first order if each pixel in them went to the bound that
    raises it; of the best `places`, which do not overlap, each is tried until the goal is reached. In
    it, pixels climb the loss by signed steps, the first of which reaches the bounds. On a linear model the best square
    and its content are exact. The patch is made for each image; for what is printed once and stuck on anything, it is a
    bound that no such patch exceeds, if the attack finds the best one.

    Raises:
        Unsupported: if inputs are not images (channels, height, width) with finite bounds.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PatchAttack
    >>> forward = lambda x: torch.stack([x[:, 0, 2:4, 1:3].sum((1, 2)) - 1, 1 - x[:, 0, 2:4, 1:3].sum((1, 2))], 1)
    >>> model = Model(forward=forward, classes=("bright inside", "dark inside"))
    >>> found = PatchAttack(side=2)(model, torch.zeros(1, 1, 6, 6), torch.tensor([1]))
    >>> found.success, found.perturbed[0, 0].nonzero().tolist()
    (tensor([True]), [[2, 1], [2, 2], [3, 1], [3, 2]])
    """

    budget: ClassVar[str] = "side"
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    threat: ClassVar[Threat] = Patch()

    side: int = param(5, "side of the square, in pixels", low=0)
    places: int = param(4, "squares that are tried, the most promising ones", low=1)
    steps: int = param(30, "gradient steps in each", low=1)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        check_image(inputs)
        if not bool(room(model.space, inputs[:1], torch.ones_like(inputs[:1])).isfinite().all()):
            raise Unsupported(
                f"{self.name()} takes pixels to their bounds, and {model.name} has infinite ones; set "
                "Space(bounds=(0.0, 1.0)), or those of your images"
            )
        found, sides = inputs.clone(), aim.budget.long().clamp(max=max(inputs.shape[2:]))
        for side in sorted(set(sides.tolist()) - {0}):
            rows = (sides == side).nonzero()[:, 0]
            found[rows] = self._patched(model, inputs[rows], aim[rows], side)
        return found

    def _patched(self, model: Model, inputs: Inputs, aim: Aim, side: int) -> Inputs:
        loss, _, slope = aim.slope(inputs)
        squares = self._squares(model, inputs, slope, side)
        best, highest = inputs.clone(), loss
        left = torch.arange(len(inputs), device=inputs.device)
        for square in squares.unbind(1):
            if not len(left):
                break
            point, reached, raised = self._climbed(model, inputs[left], aim[left], square[left], slope[left])
            better = reached | (raised > highest[left])
            best[left] = torch.where(column(better, point), point, best[left])
            highest[left] = torch.where(better, raised, highest[left])
            left = left[parted(reached)[0]]
        return best

    def _squares(self, model: Model, inputs: Inputs, slope: Tensor, side: int) -> Tensor:
        """Masks of the squares that raise the loss most to first order, (batch, places, 1, height, width)."""
        scaled = wide(slope) * model.space.scale_of(wide(inputs)) * model.space.mutable_mask(inputs)
        gain = (scaled.abs() * room(model.space, inputs, slope)).sum(1, keepdim=True)
        height, width = inputs.shape[2:]
        down, across = min(side, height), min(side, width)
        sums = avg_pool2d(gain, (down, across), stride=1)[:, 0]
        y, x = (torch.arange(count, device=inputs.device) for count in sums.shape[1:])
        masks = []
        for _ in range(self.places):
            at = sums.flatten(1).max(1).indices
            top, start = (at // sums.shape[2])[:, None], (at % sums.shape[2])[:, None]
            # The next one does not overlap with it.
            near = ((y - top).abs() < side)[:, :, None] & ((x - start).abs() < side)[:, None]
            sums = sums.masked_fill(near, -torch.inf)
            rows, columns = (torch.arange(count, device=inputs.device) for count in (height, width))
            inside = ((rows >= top) & (rows < top + down))[:, :, None] & (
                (columns >= start) & (columns < start + across)
            )[:, None]
            masks.append(inside[:, None])
        return torch.stack(masks, 1)

    def _climbed(
        self, model: Model, origin: Inputs, aim: Aim, square: Tensor, slope: Tensor
    ) -> tuple[Inputs, Tensor, Tensor]:
        """The best content of a square, whether it reaches the goal, and its loss."""
        space, unit = model.space, model.space.scale_of(wide(origin))
        span = (room(space, origin, torch.ones_like(origin)) + room(space, origin, -torch.ones_like(origin))) * unit
        best, highest = origin.clone(), torch.full_like(aim.budget, -torch.inf)
        successful = torch.zeros(len(origin), dtype=torch.bool, device=origin.device)
        row, x, way = torch.arange(len(origin), device=origin.device), origin, torch.zeros_like(wide(origin))
        for step in range(self.steps):
            part = square[row], span.expand_as(origin)[row], origin[row]
            steep = wide(slope).abs().flatten(1).amax(1).clamp(min=torch.finfo(torch.float32).tiny)
            way = MOMENTUM * way + wide(slope) / column(steep, slope)
            length = FIRST + (LAST - FIRST) * step / max(1, self.steps - 1)
            moved = torch.where(part[0], wide(x) + length * part[1] * way.sign(), wide(part[2])).to(origin.dtype)
            x = space.project(moved, part[2])
            loss, reached, slope = aim[row].slope(x)
            better = reached | (loss > highest[row])
            best[row] = torch.where(column(better, x), x, best[row])
            highest[row] = torch.where(better, loss.to(highest), highest[row])
            successful[row] = reached
            others = parted(reached)[0]
            row, x, way, slope = row[others], x[others], way[others], slope[others]
            if not len(row):
                break
        return best, successful, highest
