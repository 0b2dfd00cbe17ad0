"""The steps of a network that can be bounded: affine ones, activations, and the largest of several numbers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.certificates.activations import Curve

Window = tuple[int, int]  # the first row and column of a part of a map
Part = tuple[Tensor, Window]  # coefficients of a part, (rows, channels, height, width), and where it lies


class Step(ABC):
    """From what it reads, (rows, *shape) each, to what it gives, (rows, *shape)."""

    @abstractmethod
    def __call__(self, *values: Tensor) -> Tensor:
        """What the network computes here."""


class Input(Step):
    """The inputs themselves."""

    def __call__(self, *values: Tensor) -> Tensor:
        return values[0]


@dataclass(frozen=True, eq=False)
class Refused(Step):
    """A step without bounds."""

    told: str

    def __call__(self, *values: Tensor) -> Tensor:
        raise NotImplementedError(self.told)


@dataclass(frozen=True, eq=False)
class Late(Step):
    """A step from logits to probabilities or back, which has no bounds unless it is undone (`undone`)."""

    name: str  # in aten
    told: str
    function: Callable[[Tensor], Tensor]

    def __call__(self, *values: Tensor) -> Tensor:
        return self.function(values[0])


@dataclass(frozen=True, eq=False)
class Affine(Step):
    """A linear map and a constant: W x + b, of one tensor or several.

    `spread` is |W| x, by which an interval's half width grows.
    """

    whole: Callable[..., Tensor]
    spread: Callable[..., Tensor]
    pulled: Callable[[Tensor, Sequence[tuple[int, ...]]], tuple[Tensor, ...]] | None = None  # W' a, where it is quick
    local: Callable[[Tensor, Window, Sequence[tuple[int, ...]]], tuple[Part, ...]] | None = None  # the same of a window
    single: bool = False  # whether each number that it gives is of one that it reads, so that intervals stay exact
    moves: bool = False  # whether it gives the very numbers that it reads

    def __call__(self, *values: Tensor) -> Tensor:
        return self.whole(*values)

    def constant(self, shapes: Sequence[tuple[int, ...]], like: Tensor) -> Tensor:
        """What it gives for zeros, (1, *shape)."""
        return self.whole(*(like.new_zeros(1, *shape) for shape in shapes))

    def pull(self, coefficients: Tensor, shapes: Sequence[tuple[int, ...]]) -> tuple[Tensor, ...]:
        """Coefficients of what it gives, (rows, *shape), as those of what it reads: W' a for each."""
        if self.pulled is not None:
            return self.pulled(coefficients, shapes)
        with torch.enable_grad():
            zeros = [coefficients.new_zeros(len(coefficients), *shape).requires_grad_() for shape in shapes]
            return torch.autograd.grad(self.whole(*zeros), zeros, coefficients)


@dataclass(frozen=True, eq=False)
class Activation(Step):
    """A function of each number by itself."""

    curve: Curve

    def __call__(self, *values: Tensor) -> Tensor:
        return self.curve(values[0])


@dataclass(frozen=True, eq=False)
class Pool(Step):
    """The largest number of each window of a map, (rows, channels, height, width)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil: bool

    def __call__(self, *values: Tensor) -> Tensor:
        return torch.nn.functional.max_pool2d(values[0], self.size, self.stride, self.padding, self.dilation, self.ceil)

    def windows(self, shape: Sequence[int], made: Sequence[int], device: torch.device) -> Tensor:
        """The places of a map (channels, height, width) that each window sees, (windows, places).

        Beyond the edge the place is height * width.
        """
        (_, height, width), (_, down, across) = shape, made
        rows, columns = self._seen(0, height, down, device), self._seen(1, width, across, device)
        grid = rows[:, None, :, None] * width + columns[None, :, None, :]
        beyond = (rows < 0)[:, None, :, None] | (columns < 0)[None, :, None, :]
        return torch.where(beyond, height * width, grid).flatten(2).flatten(0, 1)

    def spread(self, parts: Iterable[Tensor], window: Window, shape: Sequence[int]) -> Part:
        """Coefficients of a part of what it gives as those of the part of the map that it sees.

        Args:
            parts: for each place of a window, coefficients (rows, functions, channels, height, width).
            window: where they lie.
            shape: of the map.
        """
        first = [window[axis] * self.stride[axis] - self.padding[axis] for axis in (0, 1)]
        found = None
        for at, part in enumerate(parts):
            sides = part.shape[-2:]
            if found is None:
                reach = [(sides[i] - 1) * self.stride[i] + (self.size[i] - 1) * self.dilation[i] + 1 for i in (0, 1)]
                found = part.new_zeros(*part.shape[:-2], *reach)
            start = [place * by for place, by in zip(divmod(at, self.size[1]), self.dilation, strict=True)]
            rows, columns = (
                slice(start[i], start[i] + (sides[i] - 1) * self.stride[i] + 1, self.stride[i]) for i in (0, 1)
            )
            found[..., rows, columns] += part
        assert found is not None
        # Of what lies beyond the edges of the map all coefficients are 0.
        begin = [max(0, each) for each in first]
        end = [min(shape[i - 2], first[i] + found.shape[i - 2]) for i in (0, 1)]
        inner = [slice(begin[i] - first[i], end[i] - first[i]) for i in (0, 1)]
        return found[..., inner[0], inner[1]], (begin[0], begin[1])

    def _seen(self, axis: int, side: int, count: int, device: torch.device) -> Tensor:
        """The rows or columns that each of `count` windows sees, (count, size); -1 beyond the edge."""
        start = torch.arange(count, device=device)[:, None] * self.stride[axis] - self.padding[axis]
        found = start + torch.arange(self.size[axis], device=device) * self.dilation[axis]
        return torch.where((found >= 0) & (found < side), found, -1)


SAME = Affine(
    lambda value: value,
    lambda width: width,
    lambda a, shapes: (a,),
    lambda a, window, shapes: ((a, window),),
    single=True,
    moves=True,
)
