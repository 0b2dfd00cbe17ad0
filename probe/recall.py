"""What a model answered about coalitions of features, kept for methods that ask the same about the same examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64
from numpy.typing import NDArray
from torch import Tensor

from probe.npz import Arrays, Stored
from probe.shapes import Inputs, Labels, Presence
from probe.space import Space
from probe.tensors import row_digests, sha256, to_numpy

Active = Bool[Tensor, "batch features"]
Fresh = Bool[Tensor, "batch coalitions"]
Values = Float64[Tensor, "batch coalitions"]
Known = dict[bytes, float]  # the values of coalitions of one example


@runtime_checkable
class Answering(Protocol):
    """What the answers of a model depend on."""

    @property
    def forward(self) -> Any: ...
    @property
    def embed(self) -> Any: ...
    @property
    def edits(self) -> Any: ...
    @property
    def part(self) -> Any: ...
    @property
    def task(self) -> Any: ...
    @property
    def space(self) -> Space: ...


class Recall:
    """The values of coalitions of some examples, of one model. What is asked of others is not kept."""

    def __init__(self, model: Answering, inputs: Inputs, targets: Labels, most: int) -> None:
        """For these examples; no more than `most` values are kept."""
        self._model, self._room = model, most
        self._rows = frozenset(_named(inputs, targets))
        self._known: dict[tuple[str, str, bytes], Known] = {}

    @property
    def state(self) -> Arrays:
        """All that is kept, as arrays, from which `take` gives it to another."""
        known = {named: of for named, of in self._known.items() if of}
        keys = [key for of in known.values() for key in of]
        return {
            "room": np.array(self._room),
            "whose": np.array([(*named, row.hex()) for *named, row in known], dtype=np.str_).reshape(-1, 3),
            "counts": np.array([len(of) for of in known.values()], dtype=np.int64),
            "widths": np.array([len(next(iter(of))) for of in known.values()], dtype=np.int64),
            "keys": np.frombuffer(b"".join(keys), dtype=np.uint8),
            "values": np.array([value for of in known.values() for value in of.values()], dtype=np.float64),
        }

    def take(self, state: Stored) -> None:
        """Take over what another kept.

        Raises:
            ValueError: if these are not the arrays of a state.
        """
        keys, values, known = state["keys"].tobytes(), state["values"].tolist(), {}
        counts, widths = state["counts"].tolist(), state["widths"].tolist()
        if len(values) != sum(counts) or len(keys) != sum(map(mul, counts, widths)):
            raise ValueError("there are not as many keys as values")
        for (output, features, row), count, width in zip(state["whose"].tolist(), counts, widths, strict=True):
            each = (keys[at : at + width] for at in range(0, count * width, width))
            known[output, features, bytes.fromhex(row)] = dict(zip(each, values[:count], strict=True))
            keys, values = keys[count * width :], values[count:]
        self._known, self._room = known, int(state["room"])

    def fits(self, model: Answering) -> bool:
        """Whether a model gives the answers that are kept: its network, its meaning and its references are the same."""
        mine, own, other = self._model, self._model.space.reference, model.space.reference
        same = (mine.forward, mine.embed, mine.edits, mine.part) == (
            model.forward,
            model.embed,
            model.edits,
            model.part,
        )
        return same and mine.task == model.task and own is not None and other is not None and _equal(own, other)

    def known(self, space: Space, inputs: Inputs, targets: Labels, output: str) -> list[Known]:
        """What is known of each example by the key of a coalition; of one that is not kept, nothing."""
        features = "" if space.features is None else sha256({"features": torch.as_tensor(space.features)})
        return [
            self._known.setdefault((output, features, row), {}) if row in self._rows else {}
            for row in _named(inputs, targets)
        ]

    def values(self, known: Sequence[Known], active: Active, masks: Presence, ask: Callable[[Fresh], Values]) -> Values:
        """The values of all coalitions for all examples, of which `ask` is asked those that are not known.

        Features of an example that equal all references are not `active`, and coalitions that differ only in those have
        the same key.
        """
        chosen = to_numpy(masks)
        keys = [keys_of(chosen & row) for row in to_numpy(active)]
        fresh = torch.tensor([[key not in of for key in row] for row, of in zip(keys, known, strict=True)])
        values = (
            ask(fresh) if bool(fresh.any()) else torch.zeros(fresh.shape, dtype=torch.float64, device=active.device)
        )
        found = values.tolist()
        for at, (row, of) in enumerate(zip(keys, known, strict=True)):
            new = {key: value for key, value in zip(row, found[at], strict=True) if key not in of}
            found[at] = [of.get(key, value) for key, value in zip(row, found[at], strict=True)]
            if len(new) <= self._room:
                self._room -= len(new)
                of.update(new)
        return torch.tensor(found, dtype=torch.float64, device=values.device)


def keys_of(masks: NDArray[np.bool_]) -> list[bytes]:
    """The key of each coalition, (coalitions, features)."""
    packed = np.ascontiguousarray(np.packbits(masks, axis=-1))
    keys: list[bytes] = [row.tobytes() for row in packed]
    return keys


def _named(inputs: Inputs, targets: Labels) -> list[bytes]:
    """A digest of each example and its target."""
    return [one + other for one, other in zip(row_digests(inputs), row_digests(targets[:, None]), strict=True)]


def _equal(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.shape == other.shape and torch.equal(one.cpu(), other.cpu()))
