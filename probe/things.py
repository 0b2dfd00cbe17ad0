"""Countable units of change: words of a text, edges of a graph, pixels of an image; and patches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from probe.errors import ShapeError, Unsupported
from probe.shapes import PerExample


@dataclass(frozen=True)
class Thing:
    """A countable unit of change."""

    moves: str  # what an attacker changes, as in `Form`
    axis: str  # axis label
    note: str  # note on changed inputs
    sizes: Callable[[Tensor], Tensor]  # change of each unit, (batch, units), from (batch, *shape)
    spread: Callable[[Tensor, Tensor], Tensor]  # a mask over units as a mask over coordinates
    whole: bool = False  # whether all coordinates of a unit must be mutable


def _edges(change: Tensor) -> Tensor:
    one, other = pairs(change)
    return change[:, one, other].abs() + change[:, other, one].abs()


def _at_edges(kept: Tensor, like: Tensor) -> Tensor:
    one, other = pairs(like)
    mask = torch.zeros(like.shape, dtype=torch.bool, device=like.device)
    mask[:, one, other] = mask[:, other, one] = kept
    return mask


def pairs(graphs: Tensor) -> tuple[Tensor, Tensor]:
    """The two nodes of each possible edge.

    Raises:
        ShapeError: if the graphs have no square adjacency.
    """
    if graphs.ndim != 3 or graphs.shape[1] > graphs.shape[2]:
        raise ShapeError(
            f"each example has shape {tuple(graphs.shape[1:])}, expected a graph: an adjacency (nodes, nodes), "
            "with the features of the nodes to its right"
        )
    one, other = torch.triu_indices(graphs.shape[1], graphs.shape[1], 1, device=graphs.device)
    return one, other


def _pixels(change: Tensor) -> Tensor:
    return (change.abs().sum(1) if change.ndim == 4 else change.abs()).flatten(1)


def _at_pixels(kept: Tensor, like: Tensor) -> Tensor:
    return kept.view(len(like), 1, *like.shape[2:]).expand_as(like) if like.ndim == 4 else kept.view(like.shape)


THINGS: Mapping[str, Thing] = {
    "word": Thing(
        "tokens",
        "words replaced",
        "the new words may change what a text means",
        lambda change: change.abs().flatten(1),
        lambda kept, like: kept.view(like.shape),
    ),
    "edge": Thing(
        "edges",
        "edges flipped",
        "removed or added edges may change what a graph is",
        _edges,
        _at_edges,
        whole=True,
    ),
    "pixel": Thing("numbers", "pixels changed", "", _pixels, _at_pixels),
}


def check_image(inputs: Tensor) -> None:
    """Raise Unsupported unless the inputs are images, (batch, channels, height, width)."""
    if inputs.ndim != 4:
        raise Unsupported(
            "a patch covers a square of an image (channels, height, width), and each example has shape "
            f"{tuple(inputs.shape[1:])}; choose an attack with another threat"
        )


def extent(marked: Tensor) -> PerExample:
    """The distance from the first to the last True, (batch,); 0 if there is none."""
    places = torch.arange(marked.shape[1], device=marked.device)
    last = torch.where(marked, places, -1).amax(1)
    first = torch.where(marked, places, marked.shape[1]).amin(1)
    return (last - first + 1).clamp(min=0).to(torch.get_default_dtype())


def best_square(sizes: Tensor, side: int) -> Tensor:
    """A mask of the square with the largest sum of sizes (batch, height, width); the first one for ties."""
    height, width = sizes.shape[1:]
    down, across = min(side, height), min(side, width)
    if not down or not across:
        return torch.zeros_like(sizes, dtype=torch.bool)
    sums = avg_pool2d(sizes[:, None], (down, across), stride=1)[:, 0]
    at = sums.flatten(1).max(1).indices
    top, left = at // sums.shape[2], at % sums.shape[2]
    y = torch.arange(height, device=sizes.device)[None, :, None] - top[:, None, None]
    x = torch.arange(width, device=sizes.device)[None, None, :] - left[:, None, None]
    return (y >= 0) & (y < down) & (x >= 0) & (x < across)
