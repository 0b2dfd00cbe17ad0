"""Edits of single features of an input, within its space."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from probe.errors import DataError, RangeError, Unsupported
from probe.names import nearest
from probe.numbers import exact
from probe.space import Space

LISTED = 20  # values listed in a message


def edited(space: Space, inputs: Tensor, edits: Mapping[str, str]) -> tuple[Tensor, tuple[str, ...]]:
    """An input (1, *shape) with edited features, and sentences that describe the edits.

    A category takes one of its values, an integer a whole number, a number a value within the bounds; a word is
    replaced by one of the vocabulary.

    Raises:
        DataError, RangeError: if there is no such feature, or it cannot take that value.
        Unsupported: where features have no names.
    """
    brought_as = space.form_of(inputs).brought_as
    if "text" in brought_as:
        return _reworded(space, inputs, edits)
    if not space.names or inputs.ndim != 2:
        raise Unsupported("only features with names and words are edited one by one; give the whole input as an array")
    found, before = inputs.clone(), space.describe(inputs)[0]
    for name, value in edits.items():
        if name not in space.names:
            raise DataError(
                f"{name!r:.60} is no feature{nearest(name, space.names)}; the features are {', '.join(space.names)}"
            )
        at = space.names.index(name)
        places = places_of(space, inputs, at)
        found[0, places] = encoded(space, inputs, at, value).to(found)
    check_whole(space, found)
    after = space.describe(found)[0]
    return found, tuple(
        f"{name} is {after[at]} in place of {before[at]}"
        for at, name in enumerate(space.names)
        if after[at] != before[at]
    )


def encoded(space: Space, inputs: Tensor, at: int, value: str) -> Tensor:
    """The coordinates of a feature with this value, (coordinates,)."""
    name, places = space.names[at], places_of(space, inputs, at)
    may = bool(space.missing) and space.missing[at]
    if space.kinds and space.kinds[at] == "category":
        words = choices(space, inputs, at)
        if value in words:
            return torch.eye(len(places), dtype=torch.float64)[words.index(value)]
        if may and value in ("", "missing"):
            return torch.eye(len(places), dtype=torch.float64)[-1]
        listed = ", ".join(map(repr, words[:LISTED])) + ", ..." * (len(words) > LISTED)
        raise DataError(f"{name} = {value!r:.60}, expected one of {listed}{nearest(value, words)}")
    if may and value in ("", "missing"):
        return torch.full((len(places),), torch.nan, dtype=torch.float64)
    if len(places) > 1:
        raise Unsupported(f"{name} is {len(places)} numbers, which are edited as an array")
    try:
        return torch.tensor([float(exact(value))], dtype=torch.float64)
    except (ValueError, OverflowError):
        raise DataError(f"{name} = {value!r:.60}, expected a number") from None


def choices(space: Space, inputs: Tensor, at: int) -> list[str]:
    """The values of a category, in the order of its coordinates."""
    form, places = space.form_of(inputs), places_of(space, inputs, at)
    words = [form.level(place) or f"{number + 1} of {len(places)}" for number, place in enumerate(places)]
    return words[:-1] if space.missing and space.missing[at] else words


def places_of(space: Space, inputs: Tensor, at: int) -> list[int]:
    """The coordinates of a feature."""
    if space.features is None:
        return [at]
    owner = torch.as_tensor(space.features).flatten()
    return [int(place) for place in (owner == at).nonzero()[:, 0]]


def check_whole(space: Space, inputs: Tensor) -> None:
    """Raise RangeError for an integer feature that is not whole, and DataError for a category that is not one-hot."""
    if not space.kinds or inputs.ndim != 2:
        return
    for at, kind in enumerate(space.kinds):
        values = inputs[0, places_of(space, inputs, at)]
        if kind == "integer" and bool(((values != values.round()) & ~values.isnan()).any()):
            raise RangeError(
                f"{space.names[at] if space.names else at} = {float(values[0]):g}, expected a whole number"
            )
        if kind == "category" and not bool(((values == 0) | (values == 1)).all() and values.sum() == 1):
            raise DataError(
                f"{space.names[at] if space.names else f'feature {at}'} is a category, expected 1 at one of its "
                f"{len(values)} coordinates and 0 elsewhere"
            )


def _reworded(space: Space, inputs: Tensor, edits: Mapping[str, str]) -> tuple[Tensor, tuple[str, ...]]:
    found, words, count = inputs.clone(), space.words, inputs.shape[1]
    said = []
    for place, word in edits.items():
        at = place.removeprefix("word ")
        if not (at.isdecimal() and at.isascii()) or int(at) >= count:
            raise RangeError(f"{place!r:.60} is not the place of a word, expected a number from 0 to {count - 1}")
        if not bool(space.is_word(inputs)[0, int(at)]):
            raise RangeError(f"there is no word at place {at}, so none can be replaced there")
        found[0, int(at)] = _id(word, words, space, inputs)
        before = words[int(inputs[0, int(at)])] if words else str(int(inputs[0, int(at)]))
        said.append(f"word {at} is {word!r} in place of {before!r}")
    return found, tuple(said)


def _id(word: str, words: Sequence[str], space: Space, inputs: Tensor) -> int:
    if words and word in words:
        number = words.index(word)
    elif not words and word.isdecimal():
        number = int(word)
    else:
        raise DataError(f"{word!r:.60} is no word that the model knows{nearest(word.lower(), words) if words else ''}")
    if not bool(space.is_word(torch.tensor([[number]], dtype=inputs.dtype)).all()):
        raise DataError(f"{word!r:.60} is a special token and cannot replace a word")
    return number
