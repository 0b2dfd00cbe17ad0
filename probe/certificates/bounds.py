"""Bounds of every step of a network over a region of inputs: intervals, and lines substituted backwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import pad

from probe.certificates.activations import Lines
from probe.certificates.nodes import Node, Traced
from probe.certificates.region import Region
from probe.certificates.steps import Activation, Affine, Input, Pool, Step, Window
from probe.tensors import spans

# Coefficients that are computed together. On a CPU more of them leave its caches, and new memory for each step took as
# long as what was computed; an accelerator needs more.
NUMBERS = {"cpu": 2**20}
NUMBERS_ACCELERATOR = 2**24
OF_A_TILE = 4  # so many times as many functions at once, as coefficients of a part of a map are fewer
TILE = {"cpu": 4}  # side of the part of a map whose numbers are bounded together; an accelerator takes whole maps
Interval = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Slopes:
    """Coefficients of linear functions (rows, functions, *shape) of what a step gives.

    With a window they are of a part of a map, (rows, functions, channels, height, width), and all others are 0. Rows
    are examples, or `examples` says which each is of.
    """

    values: Tensor
    window: Window | None = None
    examples: Tensor | None = None

    def of(self, values: Tensor) -> Tensor:
        """What the coefficients are of: that part of what a step gives, (examples, *shape)."""
        if self.window is None:
            return values
        (top, left), (down, across) = self.window, self.values.shape[-2:]
        return values[..., top : top + down, left : left + across]

    def by_row(self, values: Tensor) -> Tensor:
        """Values of each example as those of each row; those of all examples alike stay one."""
        return values if self.examples is None or len(values) == 1 else values.index_select(0, self.examples)

    def times(self, values: Tensor) -> Tensor:
        """What the functions make of values (examples, *shape), or of the same for all examples."""
        return _products(self.values, self.by_row(self.of(values)))

    def within(self, window: Window, shape: Sequence[int]) -> Tensor:
        """The coefficients of a larger part of a map, by its corner and shape."""
        assert self.window is not None
        (top, left), (down, across) = self.window, self.values.shape[-2:]
        up, before = top - window[0], left - window[1]
        return pad(self.values, (before, shape[-1] - across - before, up, shape[-2] - down - up))

    def whole(self, shape: Sequence[int]) -> "Slopes":
        """The coefficients of the whole map."""
        return self if self.window is None else Slopes(self.within((0, 0), shape), None, self.examples)

    def through(self, step: Affine, shapes: Sequence[tuple[int, ...]], shape: tuple[int, ...]) -> Iterator["Slopes"]:
        """The coefficients of what an affine step reads, by its shapes."""
        ahead = self.values.shape[:2]
        if self.window is not None and step.local is not None:
            for part, window in step.local(self.values.flatten(0, 1), self.window, shapes):
                yield Slopes(part.view(*ahead, *part.shape[1:]), window, self.examples)
            return
        for part in step.pull(self.whole(shape).values.flatten(0, 1), shapes):
            yield Slopes(part.view(*ahead, *part.shape[1:]), None, self.examples)


def _add(slopes: Slopes, at: int, into: dict[int, Slopes], shape: tuple[int, ...]) -> None:
    """Add coefficients to those of a step, of the smallest part of a map that holds both."""
    other = into.get(at)
    if other is None:
        into[at] = slopes
    elif slopes.window is None or other.window is None:
        into[at] = Slopes(slopes.whole(shape).values + other.whole(shape).values, None, slopes.examples)
    else:
        both = (slopes, other)
        first = [min(each.window[i] for each in both if each.window) for i in (0, 1)]
        last = [max(each.window[i] + each.values.shape[i - 2] for each in both if each.window) for i in (0, 1)]
        window, sides = (first[0], first[1]), (last[0] - first[0], last[1] - first[1])
        into[at] = Slopes(slopes.within(window, sides) + other.within(window, sides), window, slopes.examples)


class Bounds:
    """What each step of a network can give, for each example, over its region.

    Intervals go forward (arXiv:1810.12715). With `tight`, the numbers that an activation needs more closely are bounded
    again by lines that are substituted backwards to the input (CROWN, arXiv:1811.00866).
    """

    def __init__(self, network: Traced, region: Region, *, tight: bool) -> None:
        self.network, self.region = network, region
        self.intervals: list[Interval] = []
        self.centres: list[Tensor | None] = []  # what steps that depend on the input by affine steps alone give there
        self._lines: dict[int, tuple[Lines, Lines]] = {}  # below and above each activation
        for at in range(len(network.nodes)):
            self.centres.append(self._centre(at))
            self.intervals.append(self._interval(at))
            if not self._exact(at) and (tight or self._affine(at)):
                for step in (other.step for other in network.nodes[at:] if at in other.parents):
                    if isinstance(step, Activation | Pool):
                        self._narrow(at, step)

    def lowest(self, at: int, functions: Slopes, *, whole: bool) -> Tensor:
        """Lower bounds (rows, functions) of linear functions of what one step gives.

        Args:
            at: the number of the step.
            functions: their coefficients.
            whole: substitute back to the input; otherwise to the nearest activations, whose intervals are taken.
        """
        total = functions.values.new_zeros(functions.values.shape[:2])
        open_at = {at: functions}
        moved: dict[int, Slopes] = {}  # coefficients of how far what a step gives is from what it gives at the centre
        while open_at:
            last = max(open_at)
            slopes, node = open_at.pop(last), self.network.nodes[last]
            centre = self.centres[last]
            if centre is not None:
                # Not by constants: where inputs are large, as years are, their parts would cancel all digits but a few.
                total += slopes.times(centre)
                moved[last] = slopes
            elif isinstance(node.step, Affine):
                shapes = [self.network.nodes[parent].shape for parent in node.parents]
                total += slopes.times(node.step.constant(shapes, slopes.values))
                self._pull(last, slopes, open_at)
            elif not whole:
                low, high = self.intervals[last]
                total += replace(slopes, values=slopes.values.clamp(min=0)).times(low)
                total += replace(slopes, values=slopes.values.clamp(max=0)).times(high)
            else:
                part, constant = self._through(last, slopes)
                total += constant
                _add(part, node.parents[0], open_at, self.network.nodes[node.parents[0]].shape)
        while moved:
            last = max(moved)
            slopes = moved.pop(last)
            if isinstance(self.network.nodes[last].step, Input):
                total += self.region.seen(slopes.of, slopes.by_row).fall(slopes.values)
            else:
                self._pull(last, slopes, moved)
        return total

    def _pull(self, at: int, slopes: Slopes, into: dict[int, Slopes]) -> None:
        """Add coefficients of what an affine step gives to those of what it reads."""
        node = self.network.nodes[at]
        assert isinstance(node.step, Affine)
        shapes = [self.network.nodes[parent].shape for parent in node.parents]
        for parent, shape, part in zip(
            node.parents, shapes, slopes.through(node.step, shapes, node.shape), strict=True
        ):
            _add(part, parent, into, shape)

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
        low, high = (each.clone(memory_format=torch.contiguous_format) for each in (low, high))
        if tiles := self._tiles(at):
            for rows, columns in tiles:
                self._narrow_tile(at, wanted, low, high, rows, columns)
        else:
            self._narrow_rows(at, wanted.reshape(len(low), -1), low.view(len(low), -1), high.view(len(high), -1))
        # Rounding may put the two in the wrong order where they are equal.
        self.intervals[at] = torch.minimum(low, high), torch.maximum(low, high)

    def _narrow_rows(self, at: int, wanted: Tensor, low: Tensor, high: Tensor) -> None:
        """Bound the wanted numbers of what a step gives, as many of each row; `low` and `high` are changed in place."""
        rows, width = wanted.shape
        most = int(wanted.sum(1).max())
        order = (~wanted).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
        for part in spans(most, self._together(at, rows)):
            places = order[:, part]
            ones = torch.zeros(rows, places.shape[1], width, dtype=low.dtype, device=low.device)
            ones.scatter_(2, places[:, :, None], 1.0)
            functions = torch.cat((ones, -ones), 1).view(rows, -1, *self.network.nodes[at].shape)
            under, over = self.lowest(at, Slopes(functions), whole=True).chunk(2, 1)
            low.scatter_(1, places, torch.maximum(low.gather(1, places), under))
            high.scatter_(1, places, torch.minimum(high.gather(1, places), -over))

    def _narrow_tile(self, at: int, wanted: Tensor, low: Tensor, high: Tensor, rows: slice, columns: slice) -> None:
        """Bound the wanted numbers of a part of a map, each as a row of its own; `low` and `high` are changed in place.

        Few of a part are wanted, and not as many of each example.
        """
        seen = wanted[:, :, rows, columns]
        places = seen.nonzero()
        for part in spans(len(places), OF_A_TILE * self._together(at, 1)):
            example, channel, row, column = where = places[part].unbind(1)
            ones = torch.zeros(len(example), 1, *seen.shape[1:], dtype=low.dtype, device=low.device)
            ones[torch.arange(len(ones)), 0, channel, row, column] = 1.0
            functions = Slopes(torch.cat((ones, -ones), 1), (rows.start, columns.start), example)
            under, over = self.lowest(at, functions, whole=True).unbind(1)
            ends = low[:, :, rows, columns], high[:, :, rows, columns]
            ends[0][where], ends[1][where] = torch.maximum(ends[0][where], under), torch.minimum(ends[1][where], -over)

    def _together(self, at: int, rows: int) -> int:
        """How many numbers of each row are bounded together."""
        numbers = NUMBERS.get(self.region.low.device.type, NUMBERS_ACCELERATOR)
        widest = max(prod(node.shape) for node in self.network.nodes[: at + 1])  # on the way to this step
        return max(1, numbers // (2 * rows * widest))

    def _tiles(self, at: int) -> list[tuple[slice, slice]]:
        """Parts of a map, as a number of one depends on few of the input; none where all are bounded together."""
        shape, side = self.network.nodes[at].shape, TILE.get(self.region.low.device.type)
        if side is None or len(shape) != 3 or not self._local(at):
            return []
        return [(rows, columns) for rows in spans(shape[1], side) for columns in spans(shape[2], side)]

    def _local(self, at: int) -> bool:
        """Whether the coefficients of a part of a map are those of a part of what the step before reads."""
        step = self.network.nodes[at].step
        return isinstance(step, Affine) and step.local is not None

    def _through(self, at: int, slopes: Slopes) -> tuple[Slopes, Tensor]:
        """Coefficients of what an activation reads, and a constant, of a lower bound of a function of what it gives."""
        node = self.network.nodes[at]
        (parent,) = node.parents
        rising, falling = slopes.values.clamp(min=0), slopes.values.clamp(max=0)
        if at not in self._lines:  # the intervals of what it reads are narrow by now, and stay
            low, high = self.intervals[parent]
            lines = node.step.curve.lines if isinstance(node.step, Activation) else partial(_chords, node)
            self._lines[at] = lines(low, high)
        (under, under_rest), (over, over_rest) = (
            [slopes.by_row(slopes.of(each)) for each in line] for line in self._lines[at]
        )
        constant = _products(rising, under_rest) + _products(falling, over_rest)
        if isinstance(node.step, Activation):
            part = rising.mul_(under[:, None]).addcmul_(falling, over[:, None])
            return replace(slopes, values=part), constant
        assert isinstance(node.step, Pool)
        places = zip(under.unbind(1), over.unbind(1), strict=True)
        parts = (rising * below[:, None] + falling * above[:, None] for below, above in places)
        values, window = node.step.spread(parts, slopes.window or (0, 0), self.network.nodes[parent].shape)
        seen = Slopes(values, window, slopes.examples)
        return (seen if slopes.window else seen.whole(self.network.nodes[parent].shape)), constant

    def _contested(self, step: Step, at: int) -> Tensor:
        """Where a number may be the largest of a window that no other surely leads."""
        assert isinstance(step, Pool)
        low, high = self.intervals[at]
        shape = next(node.shape for node in self.network.nodes if node.step is step)
        places = step.windows(low.shape[1:], shape, low.device)
        low_seen, high_seen, alive = _seen(low, high, places)
        several = alive & (alive.sum(-1, keepdim=True) > 1) & (high_seen > low_seen)
        found = several.new_zeros(*several.shape[:2], prod(low.shape[2:]) + 1, dtype=torch.int32)
        found.scatter_add_(2, places.flatten().expand(*several.shape[:2], -1), several.flatten(2).to(torch.int32))
        return (found[..., :-1] > 0).view(low.shape)


def _products(functions: Tensor, values: Tensor) -> Tensor:
    """What linear functions (rows, functions, *shape) make of values (rows, *shape), or of the same for all rows."""
    flat, of = functions.reshape(*functions.shape[:2], -1), values.reshape(len(values), -1, 1)
    return (flat @ of)[..., 0]


def _seen(low: Tensor, high: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The ends of the numbers that each window of a pool sees, (rows, channels, windows, places), and which matter."""
    low, high = (pad(each.flatten(2), (0, 1), value=-torch.inf)[:, :, places] for each in (low, high))
    # Numbers that cannot be the largest have no part in it.
    return low, high, (high >= low.amax(-1, keepdim=True)) & low.isfinite()


def _chords(node: Node, low: Tensor, high: Tensor) -> tuple[Lines, Lines]:
    """Below and above the largest number of each window: slopes (rows, places of a window, *shape), and constants.

    Below is one of the numbers, that with the highest middle. Above are the floor and what each number can exceed it
    by, on its chord; or the largest number there is: of the two the one that is lower at the middle of the box.
    """
    assert isinstance(node.step, Pool)
    low, high, alive = _seen(low, high, node.step.windows(low.shape[1:], node.shape, low.device))
    middle = torch.where(low.isfinite(), low + high, -torch.inf)
    first = torch.zeros_like(low).scatter_(-1, middle.argmax(-1, keepdim=True), 1.0)
    floor, most = low.amax(-1, keepdim=True), high.amax(-1, keepdim=True)
    excess, width = torch.where(alive, high - floor, 0.0), torch.where(alive, high - low, 0.0)
    slope = torch.where(width > 0, excess / width.clamp(min=1e-30), 0.0)
    level = floor + (excess / 2).sum(-1, keepdim=True) >= most
    slope = torch.where(level, 0.0, slope)
    rest = torch.where(level, most, floor - (slope * torch.where(alive, low, 0.0)).sum(-1, keepdim=True))
    shape = (len(low), *node.shape)
    under, over = (each.movedim(-1, 1).reshape(len(low), -1, *node.shape) for each in (first, slope))
    return (under, low.new_zeros(shape)), (over, rest.view(shape))
