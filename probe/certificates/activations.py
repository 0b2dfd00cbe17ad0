"""Activations: what they are on an interval, and straight lines below and above them there."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Lines = tuple[Tensor, Tensor]  # slope and intercept, each shaped as the interval's ends

SEARCHED = 40  # halvings in the search for a tangent
GRID = 65  # points at which a curve is compared with a line
FLAT = 1e-6  # intervals narrower than this are treated as points


class Curve(ABC):
    """A function of one number."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Its values."""

    def interval(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The smallest and largest value on [low, high]; as it is here, of a function that never falls."""
        return self(low), self(high)

    @abstractmethod
    def lines(self, low: Tensor, high: Tensor) -> tuple[Lines, Lines]:
        """A line below and a line above it on [low, high]."""

    def open(self, low: Tensor, high: Tensor) -> Tensor:
        """Where a narrower interval would give better lines."""
        return high > low


@dataclass(frozen=True)
class Hinge(Curve):
    """max(x, slope x): ReLU with slope 0, leaky ReLU with a small one."""

    slope: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.maximum(x, self.slope * x)

    def lines(self, low: Tensor, high: Tensor) -> tuple[Lines, Lines]:
        """Above the chord; below one of the two pieces, which leaves the smaller area (arXiv:1811.00866)."""
        crosses = self.open(low, high)
        whole = torch.where(low >= 0, torch.ones_like(low), torch.full_like(low, self.slope))
        width = torch.where(crosses, high - low, torch.ones_like(low))
        chord = torch.where(crosses, (high - self.slope * low) / width, whole)
        rise = torch.where(crosses, (chord - self.slope) * -low, torch.zeros_like(low))
        below = torch.where(crosses, torch.where(high > -low, 1.0, self.slope).to(low), whole)
        return (below, torch.zeros_like(low)), (chord, rise)

    def open(self, low: Tensor, high: Tensor) -> Tensor:
        return (low < 0) & (high > 0)


@dataclass(frozen=True)
class Bend(Curve):
    """An S of which either half is the other turned by 180 degrees, convex below 0 and concave above."""

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]  # of its value
    middle: float  # its value at 0

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def lines(self, low: Tensor, high: Tensor) -> tuple[Lines, Lines]:
        slope, rise = self._above(low, high)
        turned, fall = self._above(-high, -low)
        return (turned, 2 * self.middle - fall), (slope, rise)

    def _above(self, low: Tensor, high: Tensor) -> Lines:
        """The tangent at the middle where it is concave, else the chord, or the tangent through the lower end."""
        at_low, at_high = self(low), self(high)
        width = high - low
        flat = width < FLAT
        chord = (at_high - at_low) / torch.where(flat, torch.ones_like(width), width)
        # A tangent at d is above the whole curve if it is above the lower end, as from some d on it is.
        first, last = low.clamp(min=0), high.clamp(min=0)
        for _ in range(SEARCHED):
            d = (first + last) / 2
            value = self(d)
            above = value + self.slope(value) * (low - d) >= at_low
            first, last = torch.where(above, first, d), torch.where(above, d, last)
        touched = torch.where(low >= 0, (low + high) / 2, last)
        value = self(touched)
        tangent = self.slope(value)
        # The chord is above where the curve is convex, or still steeper than it at the upper end.
        straight = (high <= 0) | ((low < 0) & (chord <= self.slope(at_high)))
        slope = torch.where(straight, chord, tangent)
        rise = torch.where(straight, at_high - chord * high, value - tangent * touched)
        level = torch.maximum(at_low, at_high)
        return torch.where(flat, torch.zeros_like(slope), slope), torch.where(flat, level, rise)


@dataclass(frozen=True)
class Smooth(Curve):
    """A function that falls to a lowest point and rises after it, and whose second derivative is at most `bend`."""

    function: Callable[[Tensor], Tensor]
    lowest: float  # where it is lowest
    bend: float

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def interval(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        at_low, at_high = self(low), self(high)
        within = (low < self.lowest) & (high > self.lowest)
        least = torch.where(within, self(torch.full_like(low, self.lowest)), torch.minimum(at_low, at_high))
        return least, torch.maximum(at_low, at_high)

    def lines(self, low: Tensor, high: Tensor) -> tuple[Lines, Lines]:
        """The chord, moved down and up until it is below and above.

        Between two points of the grid the curve leaves its values there by at most bend * step^2 / 8.
        """
        width = high - low
        flat = width < FLAT
        chord = torch.where(
            flat, torch.zeros_like(width), (self(high) - self(low)) / torch.where(flat, torch.ones_like(width), width)
        )
        least, most = torch.full_like(low, torch.inf), torch.full_like(low, -torch.inf)
        for at in range(GRID):
            x = low + width * (at / (GRID - 1))
            rest = self(x) - chord * x
            least, most = torch.minimum(least, rest), torch.maximum(most, rest)
        slack = self.bend * (width / (GRID - 1)).square() / 8
        return (chord, least - slack), (chord, most + slack)


@dataclass(frozen=True)
class Stair(Curve):
    """x between two levels, and the nearer level beyond them."""

    bottom: float
    top: float

    def __call__(self, x: Tensor) -> Tensor:
        return x.clamp(self.bottom, self.top)

    def lines(self, low: Tensor, high: Tensor) -> tuple[Lines, Lines]:
        """Chords of its rising part, or levels where those are nearer to it at the middle."""
        at_low, at_high, middle = self(low), self(high), (low + high) / 2
        rises, ends = low.clamp(min=self.bottom), high.clamp(max=self.top)
        up, down = (
            (at_high - at_low) / (ends - low).clamp(min=FLAT),
            (at_high - at_low) / (high - rises).clamp(min=FLAT),
        )
        up = torch.where((ends - low > FLAT) & (at_high + up * (middle - ends) < at_high), up, torch.zeros_like(up))
        down = torch.where((high - rises > FLAT) & (middle > rises), down, torch.zeros_like(down))
        return (down, at_low - down * rises), (up, at_high - up * ends)


def _tanh_slope(value: Tensor) -> Tensor:
    return 1 - value.square()


def _logistic(x: Tensor) -> Tensor:
    return (1 + torch.tanh(x / 2)) / 2


def _logistic_slope(value: Tensor) -> Tensor:
    return value * (1 - value)


SIGMOID = Bend(_logistic, _logistic_slope, 0.5)
TANH = Bend(torch.tanh, _tanh_slope, 0.0)
# |f''| of x Phi(x) is at most 2 phi(0), of the form with tanh a little more, of x sigmoid(x) 1/2.
GELU = Smooth(functional.gelu, -0.7517915, 2 / math.sqrt(2 * math.pi) + 1e-3)
GELU_TANH = Smooth(lambda x: functional.gelu(x, approximate="tanh"), -0.7524614, 0.81)
SILU = Smooth(functional.silu, -1.2784645, 0.5 + 1e-3)


def curve_of(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Curve | None:
    """The activation that an operation of torch is, by its name in aten; None for any other."""
    given = list(args[1:])
    match name:
        case "relu":
            return Hinge()
        case "leaky_relu":
            slope = float(given[0]) if given else 0.01
            return Hinge(slope) if 0 <= slope <= 1 else None
        case "sigmoid":
            return SIGMOID
        case "tanh":
            return TANH
        case "silu":
            return SILU
        case "gelu":
            return GELU_TANH if kwargs.get("approximate") == "tanh" else GELU
        case "hardtanh":
            bottom, top = (*given, -1.0, 1.0)[:2] if len(given) != 1 else (given[0], 1.0)
            return Stair(float(bottom), float(top))
        case "clamp" | "clamp_min" | "clamp_max":
            return _clamped(name, given, kwargs)
    return None


def _clamped(name: str, given: Sequence[Any], kwargs: Mapping[str, Any]) -> Curve | None:
    ends = {"clamp": (0, 1), "clamp_min": (0, None), "clamp_max": (None, 0)}[name]
    bottom, top = (None if at is None or at >= len(given) else given[at] for at in ends)
    bottom, top = kwargs.get("min", bottom), kwargs.get("max", top)
    numbers = [each for each in (bottom, top) if each is not None]
    if any(not isinstance(each, int | float) for each in numbers) or not numbers:
        return None
    if bottom == 0 and top is None:
        return Hinge()
    return Stair(-math.inf if bottom is None else float(bottom), math.inf if top is None else float(top))
