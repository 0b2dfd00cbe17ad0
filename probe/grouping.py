"""The feature of each coordinate: one grouping for all examples, or one per example, such as segments."""

import torch
from jaxtyping import Int
from torch import Tensor

from probe.errors import ShapeError
from probe.shapes import Inputs, PerFeature, Presence

Owner = Int[Tensor, "rows coordinates"]  # the feature of each coordinate; a single row is shared by all examples


def check_numbered(features: Tensor, *, each: bool) -> None:
    """Raise ShapeError unless features are numbered 0, 1, 2, ... without a gap, in each example if they differ."""
    if features.numel() == 0:
        raise ShapeError("Space.features is empty, expected the number of the feature of each coordinate")
    owner = features.flatten(1) if each else features.flatten()[None]
    count = int(owner.max()) + 1
    if int(owner.min()) >= 0 and count <= features.numel():
        present = owner.new_zeros(len(owner), count, dtype=torch.bool).scatter_(1, owner, value=True)
        if bool((present.sum(1) == owner.max(1).values + 1).all()):
            return
    raise ShapeError("Space.features must number the features 0, 1, 2, ... without a gap" + ", in each example" * each)


def owner(features: Tensor | None, like: Tensor) -> Owner:
    """The feature of each coordinate of inputs; by default each is its own feature.

    Raises:
        ShapeError: if each example has features of its own, and these are other examples.
    """
    if features is None:
        return torch.arange(like[0].numel(), device=like.device)[None]
    if features.ndim != like.ndim:
        return features.flatten()[None]
    if len(features) != len(like):
        raise ShapeError(
            f"Space.features has a grouping for each of {len(features)} examples, and these are {len(like)}; "
            "give the same examples, or write replace(model, space=model.space.of_rows(rows, inputs))"
        )
    return features.flatten(1)


def sums(values: Inputs, owner: Owner, count: int) -> PerFeature:
    """The sum over the coordinates of each feature; 0 for features that an example does not have."""
    flat = values.flatten(1)
    total = flat.new_zeros(len(flat), count)
    return total.index_add_(1, owner[0], flat) if len(owner) == 1 else total.scatter_add_(1, owner, flat)


def evenly(values: PerFeature, owner: Owner) -> Tensor:
    """The value of each feature spread over its coordinates, (rows, coordinates), so that `sums` gives it back."""
    sizes = values.new_zeros(len(owner), values.shape[1]).scatter_add_(1, owner, values.new_ones(owner.shape))
    return (values / sizes.clamp(min=1)).gather(1, owner.expand(len(values), -1))


def mask(kept: Presence, owner: Owner) -> Tensor:
    """A mask over features as one over coordinates, (rows, coordinates)."""
    # On a CPU three times as fast as kept[:, owner].
    return kept.gather(1, owner.expand(len(kept), -1))


def places_of(owner: list[int], count: int) -> list[list[int]]:
    """The coordinates of each feature of an example."""
    places: list[list[int]] = [[] for _ in range(count)]
    for at, feature in enumerate(owner):
        places[feature].append(at)
    return places
