"""Coalitions and their complements, so many of each size: what KernelShap and Lime draw."""

from collections.abc import Set as AbstractSet
from itertools import pairwise
from math import comb

import torch

from probe.explainers.coalitions import random_subsets, subsets
from probe.shapes import Presence


def pairs_of(features: int, size: int) -> int:
    """How many pairs there are of a coalition of this size, at most half of the features, and its complement."""
    return comb(features, size) // (2 if 2 * size == features else 1)


def allocate(room: list[int], wish: list[float], pairs: int, full: AbstractSet[int] = frozenset()) -> list[int]:
    """How many pairs to draw of each kind: in proportion to `wish`, at most `room`, and all of the kinds in `full`."""
    share = [0.0] * len(room)
    while len(full) < len(room):
        left = pairs - sum(room[i] for i in full)
        total = sum(w for i, w in enumerate(wish) if i not in full)
        share = [float(room[i]) if i in full else left * w / total for i, w in enumerate(wish)]
        overflowing = {i for i in range(len(room)) if i not in full and share[i] >= room[i]}
        if not overflowing:
            break
        full = full | overflowing
    # Rounded cumulatively, so that the counts sum to `pairs`.
    edges = [0, *(int(edge + 0.5) for edge in torch.tensor(share, dtype=torch.float64).cumsum(0).tolist())]
    return [high - low for low, high in pairwise(edges)]


def draw(features: int, size: int, count: int, source: torch.Generator) -> Presence:
    """One coalition of each pair, without replacement where listing them all costs little more than drawing."""
    available = pairs_of(features, size)
    if available > 16 * count:
        return random_subsets(features, size, count, source)
    # Of the coalitions with half of the features, the first half are the complements of the others.
    return subsets(features, size, torch.randperm(available, generator=source)[:count])
