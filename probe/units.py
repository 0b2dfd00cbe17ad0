"""Radii in units that people use: levels of a pixel of 8 bits, px, and standard deviations, sd."""

import re

import torch
from torch import Tensor

from probe.errors import Unsupported
from probe.formatting import in_each_unit
from probe.numbers import Written, fraction, unit_of
from probe.shapes import Inputs
from probe.space import Space
from probe.threats import Ball, Threat

LEVELS = 255  # from the darkest to the brightest
IN_255THS = re.compile(r"[\d.]+\s*/\s*255")  # a radius as one of inputs between 0 and 1 is written


def refuse_unit(amount: object, threat: Threat, space: Space, like: Inputs) -> None:
    """Refuse a budget whose unit this space or this threat does not have; a plain number has none.

    A radius such as 8/255 is one of inputs between 0 and 1. Where inputs have other bounds and it is less than one
    level of a pixel, as where they are from 0 to 255, it was meant for other inputs.

    Raises:
        Unsupported: if px are asked of other inputs than images between two bounds that are one scale apart, sd of a
            space without a scale, or either of what is no radius; if 255ths are less than a level of these pixels.
    """
    unit = unit_of(amount)
    if not unit:
        if isinstance(amount, str | Written):
            _refuse_less_than_level(str(amount), threat, space, like)
        return
    text = amount.text if isinstance(amount, Written) else str(amount)
    number = fraction(text)
    if not isinstance(threat, Ball):
        raise Unsupported(f"eps = {text!r} is a radius, and this budget is counted in {threat.unit}s; write eps=1")
    if unit == "sd" and not _has_scale(space):
        raise Unsupported(
            f"eps = {text!r} is in standard deviations, and the space has no scale; set "
            f"Space(scale=rows.std(0)), or write eps={float(number):g}"
        )
    if unit == "px":
        share = _level(space, like)
        if share is None:
            raise Unsupported(
                f"eps = {text!r} is in levels of pixels, and the inputs are no images with one pair of bounds; "
                f"write eps={float(number):g}"
            )
        if abs(share * LEVELS - 1) > 1e-6:
            raise Unsupported(
                f"eps = {text!r} is in levels of pixels, of which one is {share:.6g} of the scale in this space; write "
                f"eps={float(number) * LEVELS * share:.6g}"
            )


def _refuse_less_than_level(text: str, threat: Threat, space: Space, like: Inputs) -> None:
    if not isinstance(threat, Ball) or not IN_255THS.fullmatch(text.strip()):
        return
    level, number = _level(space, like), float(fraction(text))
    if level is None or abs(level * LEVELS - 1) <= 1e-6 or not 0 < number < level * (1 - 1e-6):
        return
    low, high = (f"{float(end):g}" for end in space.bounds)
    raise Unsupported(
        f"eps = {text!r} is less than one level of a pixel, which is {level:.6g} where inputs are from {low} to "
        f"{high}; write eps={number * LEVELS * level:.6g} for {number * LEVELS:g} of {LEVELS} levels, or "
        f"eps={number:.6g}, without a fraction, if the radius is meant to be that small"
    )


def in_units(eps: float, space: Space, like: Inputs) -> str:
    """A radius in each unit that the space has: of its scale, in levels of pixels, and in the inputs' own.

    >>> import torch
    >>> from probe import Space
    >>> from probe.units import in_units
    >>> in_units(8 / 255, Space(), torch.rand(1, 1, 4, 4))
    '0.03137 = 8 px'
    >>> in_units(0.5, Space(bounds=(0.0, 99.0), scale=torch.tensor([10.0, 4.0])), torch.rand(1, 2))
    '0.5 sd = 2 to 5 in the units of the inputs'
    """
    return in_each_unit(eps, *measures(space, like))


def measures(space: Space, like: Inputs) -> tuple[float | None, tuple[float, ...]]:
    """A level of a pixel as a radius, if there is one; and the least and the largest scale, unless all are 1."""
    scale = torch.as_tensor(space.scale).double()
    return _level(space, like), (float(scale.min()), float(scale.max())) if _has_scale(space) else ()


def _has_scale(space: Space) -> bool:
    return bool((torch.as_tensor(space.scale) != 1).any())


def _level(space: Space, like: Inputs) -> float | None:
    """One level of a pixel of 8 bits as a radius; None where inputs are no images between one pair of bounds."""
    ends: list[Tensor] = [torch.as_tensor(end).double() for end in (*space.bounds, space.scale)]
    if like.ndim != 4 or any(end.numel() != 1 or not bool(end.isfinite().all()) for end in ends):
        return None
    low, high, scale = (float(end) for end in ends)
    return (high - low) / LEVELS / scale
