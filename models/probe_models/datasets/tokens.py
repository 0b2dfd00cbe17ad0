"""Sentences as rows of word ids."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

ABSENT, UNKNOWN = 0, 1
SPECIAL = ("", "(unknown)")  # what those two ids stand for
# A word may have apostrophes within, as in "doesn't" and "rock'n'roll"; around it they are quotation marks.
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[!?]")


def split(sentence: str) -> list[str]:
    """The words of a sentence in lower case, its numbers, and its marks ! and ?; all other signs are left out."""
    return WORD.findall(sentence.lower().replace("\u2019", "'"))


def vocabulary(sentences: Iterable[Sequence[str]], size: int) -> tuple[str, ...]:
    """What each of at most `size` ids stands for: the two special ones, then the most frequent words.

    Words that are equally frequent follow the alphabet.
    """
    counts = Counter(word for words in sentences for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return (*SPECIAL, *ranked[: size - len(SPECIAL)])


def encode(sentences: Sequence[Sequence[str]], words: Sequence[str], tokens: int) -> Tensor:
    """The ids (sentences, tokens) of the first `tokens` words of each; shorter ones end in absent words."""
    number = {word: i for i, word in enumerate(words) if i >= len(SPECIAL)}
    rows = [[number.get(word, UNKNOWN) for word in sentence[:tokens]] for sentence in sentences]
    return torch.tensor([row + [ABSENT] * (tokens - len(row)) for row in rows])
