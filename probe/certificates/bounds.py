"""Bounds of every step of a network over a region of inputs: intervals, and lines substituted backwards."""

from math import prod

import torch
from torch import Tensor

from probe.certificates.region import Region
from probe.certificates.steps import Activation, Affine, Input, Pool, Step
from probe.certificates.traced import Traced
from probe.tensors import spans

# Coefficients that are computed together. On a CPU more of them leave its caches, and new memory for each step took as
# long as what was computed; an accelerator needs more.
NUMBERS = {"cpu": 2**20}
NUMBERS_ACCELERATOR = 2**24
Interval = tuple[Tensor, Tensor]


class Bounds:
    """What each step of a network can give, for each example, over its region.

    Intervals go forward (arXiv:1810.12715). With `tight`, the numbers that an activation needs more closely are bounded
    again by lines that are substituted backwards to the input (CROWN, arXiv:1811.00866).
    """

    def __init__(self, network: Traced, region: Region, *, tight: bool) -> None:
        self.network, self.region = network, region
        self.intervals: list[Interval] = []
        self.centres: list[Tensor | None] = []  # what steps that depend on the input by affine steps alone give there
        for at in range(len(network.nodes)):
            self.centres.append(self._centre(at))
            self.intervals.append(self._interval(at))
            if not self._exact(at) and (tight or self._affine(at)):
                for step in (other.step for other in network.nodes[at:] if at in other.parents):
                    if isinstance(step, Activation | Pool):
                        self._narrow(at, step)

    def lowest(self, at: int, functions: Tensor, *, whole: bool) -> Tensor:
        """Lower bounds (rows, functions) of linear functions (rows, functions, *shape) of what one step gives.

        Args:
            at: the number of the step.
            functions: their coefficients.
            whole: substitute back to the input; otherwise to the nearest activations, whose intervals are taken.
        """
        rows, count = functions.shape[:2]
        total = functions.new_zeros(rows, count)
        open_at: dict[int, Tensor] = {at: functions}
        moved: dict[int, Tensor] = {}  # coefficients of how far what a step gives is from what it gives at the centre
        while open_at:
            last = max(open_at)
            slopes, node = open_at.pop(last), self.network.nodes[last]
            centre = self.centres[last]
            if centre is not None:
                # Not by constants: where inputs are large, as years are, their parts would cancel all digits but a few.
                total += _products(slopes, centre)
                moved[last] = slopes
            elif isinstance(node.step, Affine):
                shapes = [self.network.nodes[parent].shape for parent in node.parents]
                total += _products(slopes, node.step.constant(shapes, slopes))
                self._pull(last, slopes, open_at)
            elif not whole:
                low, high = self.intervals[last]
                total += _products(slopes.clamp(min=0), low) + _products(slopes.clamp(max=0), high)
            else:
                (parent,) = node.parents
                part, constant = self._through(node.step, parent, node.shape, slopes)
                total += constant
                open_at[parent] = open_at[parent] + part if parent in open_at else part
        while moved:
            last = max(moved)
            slopes = moved.pop(last)
            if isinstance(self.network.nodes[last].step, Input):
                total += self.region.fall(slopes)
            else:
                self._pull(last, slopes, moved)
        return total

    def _pull(self, at: int, slopes: Tensor, into: dict[int, Tensor]) -> None:
        """Add coefficients of what an affine step gives to those of what it reads."""
        node = self.network.nodes[at]
        assert isinstance(node.step, Affine)
        shapes = [self.network.nodes[parent].shape for parent in node.parents]
        for parent, part in zip(node.parents, node.step.pull(slopes.flatten(0, 1), shapes), strict=True):
            part = part.view(*slopes.shape[:2], *part.shape[1:])
            into[parent] = into[parent] + part if parent in into else part

    def _centre(self, at: int) -> Tensor | None:
        if not self._affine(at):
            return None
        node = self.network.nodes[at]
        if isinstance(node.step, Input):
            return self.region.centre
        parents = [self.centres[parent] for parent in node.parents]
        return node.step(*(each for each in parents if each is not None))

    def _interval(self, at: int) -> Interval:
        node = self.network.nodes[at]
        if isinstance(node.step, Input):
            return self.region.low, self.region.high
        parents = [self.intervals[parent] for parent in node.parents]
        if isinstance(node.step, Affine):
            middle = node.step(*((low + high) / 2 for low, high in parents))
            half = node.step.spread(*((high - low) / 2 for low, high in parents))
            return middle - half, middle + half
        ((low, high),) = parents
        if isinstance(node.step, Activation):
            return node.step.curve.interval(low, high)
        return node.step(low), node.step(high)

    def _exact(self, at: int, *, mixed: bool = False) -> bool:
        """Whether the interval of a step is exact: numbers are mixed once on the way, and the region is a box."""
        node = self.network.nodes[at]
        if isinstance(node.step, Input):
            return not mixed or self.region.p == torch.inf
        if not isinstance(node.step, Affine) or len(node.parents) > 1 or (mixed and not node.step.single):
            return False
        return self._exact(node.parents[0], mixed=mixed or not node.step.single)

    def _affine(self, at: int) -> bool:
        """Whether a step depends on the input by affine steps alone."""
        node = self.network.nodes[at]
        return isinstance(node.step, Input | Affine) and all(self.centres[each] is not None for each in node.parents)

    def _narrow(self, at: int, step: Step) -> None:
        """Bound by substitution those numbers of a step that an activation needs more closely."""
        low, high = self.intervals[at]
        wanted = step.curve.open(low, high) if isinstance(step, Activation) else self._contested(step, at)
        wanted = wanted.reshape(len(wanted), -1)
        rows, width = wanted.shape
        most = int(wanted.sum(1).max())
        order = (~wanted).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
        low, high = low.reshape(rows, -1).clone(), high.reshape(rows, -1).clone()
        numbers = NUMBERS.get(low.device.type, NUMBERS_ACCELERATOR)
        for part in spans(most, max(1, numbers // (2 * rows * self._widest(at)))):
            places = order[:, part]
            ones = torch.zeros(rows, places.shape[1], width, dtype=low.dtype, device=low.device)
            ones.scatter_(2, places[:, :, None], 1.0)
            functions = torch.cat((ones, -ones), 1).view(rows, -1, *self.network.nodes[at].shape)
            under, over = self.lowest(at, functions, whole=True).chunk(2, 1)
            low.scatter_(1, places, torch.maximum(low.gather(1, places), under))
            high.scatter_(1, places, torch.minimum(high.gather(1, places), -over))
        shape = self.intervals[at][0].shape
        # Rounding may put the two in the wrong order where they are equal.
        self.intervals[at] = torch.minimum(low, high).view(shape), torch.maximum(low, high).view(shape)

    def _widest(self, at: int) -> int:
        """The most numbers of one row in a step on the way to this one."""
        return max(prod(node.shape) for node in self.network.nodes[: at + 1])

    def _through(self, step: Step, parent: int, shape: tuple[int, ...], slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of what an activation reads, and a constant, of a lower bound of a function of what it gives."""
        low, high = self.intervals[parent]
        rising, falling = slopes.clamp(min=0), slopes.clamp(max=0)
        if isinstance(step, Activation):
            (under, under_rest), (over, over_rest) = step.curve.lines(low, high)
            constant = _products(rising, under_rest) + _products(falling, over_rest)
            return rising.mul_(under[:, None]).addcmul_(falling, over[:, None]), constant
        assert isinstance(step, Pool)
        seen = _Windows(step, low, high, shape)
        part, constant = seen.chosen(rising)
        other, rest = seen.above(falling)
        return (part + other).view(*slopes.shape[:2], *low.shape[1:]), constant + rest

    def _contested(self, step: Step, at: int) -> Tensor:
        """Where a number may be the largest of a window that no other surely leads."""
        assert isinstance(step, Pool)
        low, high = self.intervals[at]
        shape = next(node.shape for node in self.network.nodes if node.step is step)
        seen = _Windows(step, low, high, shape)
        return seen.contested().view(low.shape)


def _products(functions: Tensor, values: Tensor) -> Tensor:
    """What linear functions (rows, functions, *shape) make of values (rows, *shape), or of the same for all rows."""
    flat, of = functions.reshape(*functions.shape[:2], -1), values.reshape(len(values), -1, 1)
    return (flat @ of)[..., 0]


class _Windows:
    """The numbers that a pool sees, as (rows, channels, windows, places)."""

    def __init__(self, step: Pool, low: Tensor, high: Tensor, made: tuple[int, ...]) -> None:
        self.size = prod(low.shape[2:])
        self.places = step.windows(low.shape[1:], made, low.device)
        self.low, self.high = self._gathered(low), self._gathered(high)
        self.floor = self.low.amax(-1, keepdim=True)  # the largest number is at least that
        # Numbers that cannot be the largest have no part in it.
        self.alive = (self.high >= self.floor) & self.low.isfinite()

    def chosen(self, rising: Tensor) -> tuple[Tensor, Tensor]:
        """Below: one of the numbers, that with the highest middle."""
        middle = torch.where(self.low.isfinite(), self.low + self.high, -torch.inf)
        first = torch.zeros_like(self.low).scatter_(-1, middle.argmax(-1, keepdim=True), 1.0)
        return self._spread(rising, first), rising.new_zeros(rising.shape[:2])

    def above(self, falling: Tensor) -> tuple[Tensor, Tensor]:
        """Above: the floor and what each number can exceed it by, on its chord; or the largest number there is.

        Of the two the one that is lower at the middle of the box.
        """
        excess = torch.where(self.alive, self.high - self.floor, torch.zeros_like(self.high))
        width = torch.where(self.alive, self.high - self.low, torch.ones_like(self.high))
        slope = torch.where(width > 0, excess / width.clamp(min=1e-30), torch.zeros_like(width))
        base = torch.where(self.alive, self.low, torch.zeros_like(self.low))
        most = self.high.amax(-1, keepdim=True)
        chords = self.floor + (excess / 2).sum(-1, keepdim=True)
        level = chords >= most
        slope = torch.where(level, torch.zeros_like(slope), slope)
        rest = torch.where(level, most, self.floor - (slope * base).sum(-1, keepdim=True))[..., 0]
        return self._spread(falling, slope), (falling.flatten(3) * rest[:, None]).flatten(2).sum(2)

    def contested(self) -> Tensor:
        """Numbers that may be the largest, of windows that have several, (rows, channels, places)."""
        several = self.alive & (self.alive.sum(-1, keepdim=True) > 1) & (self.high > self.low)
        found = several.new_zeros(*several.shape[:2], self.size + 1, dtype=torch.int32)
        places = self.places.flatten().expand(*several.shape[:2], -1)
        return found.scatter_add_(2, places, several.flatten(2).to(torch.int32))[..., :-1] > 0

    def _gathered(self, values: Tensor) -> Tensor:
        flat = torch.nn.functional.pad(values.flatten(2), (0, 1), value=-torch.inf)
        return flat[:, :, self.places]

    def _spread(self, slopes: Tensor, shares: Tensor) -> Tensor:
        """Coefficients of windows (rows, functions, channels, ...) as those of places (..., height * width)."""
        given = slopes.flatten(3)
        found = given.new_zeros(*given.shape[:3], self.size + 1)
        for place, share in zip(self.places.T, shares.unbind(-1), strict=True):
            found.index_add_(3, place, given * share[:, None])
        return found[..., :-1]
