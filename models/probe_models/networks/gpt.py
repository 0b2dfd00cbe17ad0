"""A language model: a transformer that only looks back."""

import torch
from torch import nn

from probe_models.networks.attention import Layer
from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Examples, Logits, PlaceLogits, Tokens
from probe_models.networks.words import WordNetwork


class GPT(WordNetwork):
    """Each word attends to itself and to those before it, and the next word is told (Radford et al. 2019, GPT-2).

    The layers are those of `TextTransformer`. The answer for a row is the word after its last; `at_places` gives the
    answers after each. The classes are the last `classes` of the words: those before are special, and never follow.
    """

    def __init__(
        self,
        words: int,
        tokens: int,
        width: int = 32,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        classes: int = 2,
    ) -> None:
        super().__init__(words, width)
        if classes > words:
            raise ValueError(f"{classes} classes are more than {words} words")
        self.first = words - classes  # the word that is class 0
        self.positions = nn.Parameter(torch.zeros(tokens, width))
        self.layers = nn.Sequential(*(Layer(width, heads, dropout, causal=True) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, embedded: Tokens) -> Logits:
        return self.at_places(embedded)[:, -1]

    def at_places(self, embedded: Tokens) -> PlaceLogits:
        """The logits of the next word after each word."""
        tokens = self.dropout(embedded + self.positions)
        return self.head(self.dropout(self.norm(self.layers(tokens))))

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        nn.init.normal_(self.positions, std=0.02, generator=generator)


ARCHITECTURES = {"gpt": GPT}
