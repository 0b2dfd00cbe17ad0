"""Height and width of the images that a network reads."""

from collections.abc import Sequence

Side = int | Sequence[int]  # pixels a side of a square, or height and width


def sides(side: Side) -> tuple[int, int]:
    """Height and width in pixels."""
    height, width = (side, side) if isinstance(side, int) else side
    return height, width


def halved(side: Side, times: int) -> tuple[int, int]:
    """Height and width after so many halvings, each rounded down.

    Raises:
        ValueError: if nothing is left.
    """
    height, width = sides(side)
    if min(height, width) < 2**times:
        raise ValueError(
            f"images of {height} x {width} pixels cannot be halved {times} times; give fewer widths or larger images"
        )
    return height >> times, width >> times
