"""Find identical masked rows, so that the model evaluates each of them once."""

from collections.abc import Iterator
from itertools import accumulate
from math import log

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from probe.shapes import Inputs, Presence, References
from probe.space import Space
from probe.tensors import exact, rows_per_pass, spans, unequal

Active = Bool[Tensor, "batch features"]
Differs = Bool[Tensor, "batch references features"]
Numbers = Int[Tensor, "references features"]
Codes = Int[Tensor, "batch references features"]
Pairs = Int[Tensor, " unlike"]  # places in a (batch, coalitions, references) grid
Kinds = Int[Tensor, "batch coalitions references"]

_FLAGS = 2**22  # flags of equal features held at a time
_EXACT = 2**52  # float64 represents every integer up to here, and its matrix product is fast on every device
_WHOLE = 2**62  # the largest int64


def differs(space: Space, inputs: Inputs, references: References) -> Differs:
    """Where each reference has a different value of a feature than each input. Two missing values are equal."""
    parts = []
    for span in spans(len(inputs) * len(references), rows_per_pass(inputs)):
        pair = torch.arange(span.start, span.stop, device=inputs.device)
        one, other = inputs[pair // len(references)], references[pair % len(references)]
        parts.append(space.by_feature(unequal(one, other).to(torch.float32)) > 0)
    return torch.cat(parts).view(len(inputs), len(references), -1)


def numbered(space: Space, references: References) -> Numbers:
    """For each reference and feature, the number of its value; those of a feature are numbered as they appear."""
    blocks = _blocks(space, references, references)
    first = torch.cat([_first_same(differs(space, references[rows], references)) for rows in blocks])
    own = torch.arange(len(references), device=references.device)[:, None]
    # Counted without gaps, so that many small numbers fit into one word.
    return ((first == own).cumsum(0) - 1).gather(0, first)


def _first_same(differing: Differs) -> Numbers:
    # The maximum along the last axis is ten times as fast as argmax along the middle one.
    return (~differing).transpose(1, 2).contiguous().view(torch.uint8).max(2).indices


def differs_from_reference(space: Space, inputs: Inputs) -> Active:
    """Which features differ from any reference row. The value of all others is exactly 0."""
    references = space.references(inputs)
    blocks = _blocks(space, inputs, references)
    return torch.cat([differs(space, inputs[rows], references).any(1) for rows in blocks]).to(exact(inputs.device))


def unlike(differing: Differs, numbers: Numbers, absent: Presence) -> tuple[Pairs, Kinds]:
    """Group identical masked rows: the first row of each group, and the group of each row.

    Absent features take their values from a reference. Rows of two different inputs are never grouped.
    """
    if absent.device.type != "cpu":
        return _sorted_at_once(differing, numbers, absent)
    some = differing.flatten(0, 1).any(0)
    differing, absent = differing[..., some], absent[:, some]
    codes = torch.where(differing, numbers[:, some] + 1, 0)
    first, kinds = _within_references(differing, absent)
    which = first // (len(absent) * numbers.shape[0])  # the input
    # A row's key is multiplied by the size of each word, and must not overflow.
    for span in _words(codes, min(_EXACT, _WHOLE // kinds.numel())):
        word = _packed(codes[..., span], absent[:, span]).flatten()[first]
        which = _ranks(which * (int(word.max()) + 1) + word)
    earliest = torch.full((int(which.max()) + 1,), kinds.numel(), device=which.device)
    return earliest.scatter_reduce_(0, which, first, "amin"), which[kinds]


def _sorted_at_once(differing: Differs, numbers: Numbers, absent: Presence) -> tuple[Pairs, Kinds]:
    """The same by one sort of all rows, which is fast on an accelerator and synchronises once."""
    (batch, references, features), device = differing.shape, absent.device
    codes, width = torch.where(differing, numbers + 1, 0), max(1, int(log(_EXACT, references + 1)))
    place = (references + 1) ** torch.arange(width, device=device, dtype=torch.float64)
    shape = (batch, len(absent), references)
    columns = [torch.arange(batch, device=device).view(-1, 1, 1).expand(shape)]
    for span in spans(features, width):
        shown = (codes[..., span] * place[: codes[..., span].shape[-1]]).mT
        columns.append((absent[:, span].double() @ shown).long())
    kinds = torch.unique(torch.stack(columns, -1).flatten(0, 2), dim=0, return_inverse=True)
    every = torch.arange(len(kinds[1]), device=device)
    earliest = torch.full((len(kinds[0]),), len(every), device=device)
    return earliest.scatter_reduce_(0, kinds[1], every, "amin"), kinds[1].view(shape)


def _within_references(differing: Differs, absent: Presence) -> tuple[Pairs, Kinds]:
    """The same, comparing only rows of different references: by a table for few features, else row by row."""
    batch, references, features = differing.shape
    shape, device = (batch, len(absent), references), absent.device
    every = torch.arange(batch * len(absent) * references, device=device)
    if 2**features > 8 * len(absent):
        return every, every.view(shape)
    bit = 2 ** torch.arange(features, device=device)
    changed = (absent * bit).sum(1)[None, :, None] & (differing * bit).sum(2)[:, None]
    own = torch.arange(batch * references, device=device).view(batch, 1, references)
    place = own * 2**features + changed
    seen = torch.full((batch * references * 2**features,), -1, device=device)
    seen[place.flatten()] = every
    found = (seen >= 0).nonzero()[:, 0]
    first = seen[found]
    seen[found] = torch.arange(len(found), device=device)
    return first, seen[place]


def _words(codes: Codes, most: int) -> list[slice]:
    """Runs of features whose codes fit into one number of at most that size together."""
    sizes = (codes.flatten(0, 1).amax(0) + 1).tolist() if codes.numel() else []
    words, start, held = [], 0, 1
    for at, size in enumerate(sizes):
        if held * size > most:
            words.append(slice(start, at))
            start, held = at, 1
        held *= size
    return [*words, slice(start, len(sizes))] if sizes else []


def _packed(codes: Codes, absent: Presence) -> Kinds:
    """One number for the reference values of the features that each coalition leaves out; 0 if none differs."""
    sizes = (codes.flatten(0, 1).amax(0) + 1).tolist()
    place = torch.tensor(list(accumulate(sizes[:-1], int.__mul__, initial=1)), device=codes.device)
    return (absent.double() @ (codes * place).double().mT).long()


def _ranks(keys: Pairs) -> Pairs:
    return torch.unique(keys, return_inverse=True)[1]


def _blocks(space: Space, inputs: Inputs, references: References) -> Iterator[slice]:
    """Blocks of inputs that are compared with all references at once."""
    return spans(len(inputs), max(1, _FLAGS // (len(references) * space.feature_count(inputs))))
