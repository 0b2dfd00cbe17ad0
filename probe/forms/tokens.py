"""Texts as the ids of their words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from probe.errors import RangeError
from probe.forms.form import Coordinates, Defaults, Flags, Form, Owner
from probe.names import Passed
from probe.tensors import constant


@dataclass(frozen=True, kw_only=True, repr=False)
class Tokens(Form):
    """The token ids of a text (tokens,). An attacker replaces words."""

    name: ClassVar[str] = "tokens"
    moves: ClassVar[str] = "tokens"
    read_as: ClassVar[str] = "texts"
    brought_as: ClassVar[tuple[str, ...]] = ("text",)
    told: ClassVar[bool] = True
    feature: ClassVar[str] = "word {}"
    defaults: ClassVar[Defaults] = Defaults(attacks=({"method": "hot_flip"},), eps=("1", "2", "3", "5"))
    lengths: ClassVar[Mapping[str, float]] = {"words": 0.0}

    words: Passed[tuple[str, ...]] = ()  # the word that each token id stands for
    special: Passed[tuple[int, ...]] = (0, 1)  # ids that are no words, the absent word (padding) first

    def check(self, low: float, high: float) -> None:
        if not 0 <= low <= high < torch.inf:
            raise RangeError(f"Space.bounds of token ids are [{low:g}, {high:g}]; set bounds=(0, number of words - 1)")
        if self.words and high >= len(self.words):
            raise RangeError(
                f"Space.words has {len(self.words)} words for token ids in [{low:g}, {high:g}]; "
                f"give a word for each, or set bounds=(0, {len(self.words) - 1})"
            )

    def mutable(self, like: Coordinates, owner: Owner) -> Flags:
        return self.is_word(like) & super().mutable(like, owner)

    def is_word(self, like: Tensor) -> Bool[Tensor, "*shape"]:
        return ~torch.isin(like, constant(self.special, like.dtype, like.device))

    def scaled_change(self, moved: Coordinates, origin: Coordinates, scale: Tensor) -> Coordinates:
        """1 where the token differs, whatever its id."""
        return (moved != origin).to(torch.get_default_dtype())

    def describe(self, row: Sequence[float], feature: int, places: Sequence[int]) -> str:
        """The words of a feature; an absent word is an empty string."""
        return " ".join(filter(None, (self._word(int(row[at])) for at in places)))

    def _word(self, token: int) -> str:
        absent = self.special[:1] == (token,)
        return "" if absent else self.words[token] if self.words else str(token)
