"""What a model answers when it sees only some features: the one question behind Shapley values and LIME."""

from math import comb

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from probe.errors import RangeError
from probe.model import Model
from probe.shapes import Inputs, Labels, PerFeature, Presence
from probe.space import Space
from probe.tensors import rows_per_pass, spans

Values = Float64[Tensor, "batch coalitions"]
Varies = Bool[Tensor, "batch features"]


def values(model: Model, inputs: Inputs, targets: Labels, masks: Presence, output: str) -> Values:
    """The target's output when only a coalition's features are shown, averaged over all reference rows.

    The other features are taken from a reference row, all from the same one. No more than a pass of masked inputs is
    held at a time.
    """
    references = model.space.references(inputs)
    pairs = len(inputs) * len(masks)
    worth = torch.zeros(pairs, dtype=torch.float64, device=inputs.device)
    budget = rows_per_pass(inputs)
    for behind in spans(len(references), budget):
        for span in spans(pairs, max(1, budget // len(references[behind]))):
            pair = torch.arange(span.start, span.stop, device=inputs.device)
            row, coalition = pair // len(masks), pair % len(masks)
            shown = _mask(model.space, inputs[row], masks[coalition], references[behind])
            repeated = targets[row].repeat_interleave(len(references[behind]))
            answers = model.answers(shown, repeated, output).double()
            worth[span] += answers.view(len(pair), -1).sum(1)
    return (worth / len(references)).view(len(inputs), len(masks))


def varies(space: Space, inputs: Inputs) -> Varies:
    """Which features differ from any reference row. The others are worth exactly nothing, and need no estimate."""
    references = space.references(inputs)
    differs = (inputs != references.amin(0)) | (inputs != references.amax(0))
    return space.by_feature(differs.double()) > 0


def every_subset(features: int) -> Presence:
    """All 2^features coalitions: the empty one first, the full one last."""
    return (torch.arange(2**features)[:, None] >> torch.arange(features)).bitwise_and(1).bool()


def subsets(features: int, size: int) -> Presence:
    """All coalitions of a size."""
    members = torch.combinations(torch.arange(features), size)
    return torch.zeros(comb(features, size), features, dtype=torch.bool).scatter_(1, members, value=True)


def random_subsets(features: int, size: int, count: int, source: torch.Generator) -> Presence:
    """Random coalitions of a size, all equally likely."""
    order = torch.rand(count, features, generator=source, dtype=torch.float64).argsort(1)
    return torch.zeros(count, features, dtype=torch.bool).scatter_(1, order[:, :size], value=True)


def solve(normal: Tensor, right: Tensor, remedy: str) -> Tensor:
    """Solve the normal equations of a fit (..., features, features), for all columns of `right` at once.

    Raises:
        RangeError: if the coalitions do not determine the fit; `remedy` says what to change.
    """
    factor, failed = torch.linalg.cholesky_ex(normal)
    # Rounding can hide a missing rank: then the factor's diagonal collapses instead.
    diagonal = factor.diagonal(dim1=-2, dim2=-1)
    if bool(failed.any()) or bool((diagonal.amin(-1) < 1e-7 * diagonal.amax(-1)).any()):
        raise RangeError(f"the coalitions do not determine all {normal.shape[-1]} features; {remedy}")
    return torch.cholesky_solve(right, factor)


def spread(shares: PerFeature, space: Space, inputs: Inputs) -> Inputs:
    """Each feature's value over its coordinates, in the dtype of the inputs, or the default one for token ids."""
    dtype = inputs.dtype if inputs.is_floating_point() else torch.get_default_dtype()
    return space.by_coordinate(shares, inputs).to(dtype)


def _mask(space: Space, inputs: Inputs, kept: Presence, references: Tensor) -> Tensor:
    """Each input with what its coalition leaves out taken from each reference, (inputs * references, *shape)."""
    shown = torch.where(space.select(kept, inputs)[:, None], inputs[:, None], references[None])
    return shown.flatten(0, 1)
