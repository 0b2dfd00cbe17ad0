"""A transformer encoder for sentences."""

import torch
from torch import nn

from probe_models.networks.attention import Layer
from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Examples, Logits, Tokens
from probe_models.networks.words import WordNetwork


class TextTransformer(WordNetwork):
    """Words attend to each other, and their mean is classified (Vaswani et al. 2017, arXiv:1706.03762).

    The tokens are x = vectors of words + positions; each layer adds to them twice, and looks at what is normalised
    (arXiv:2002.04745): x <- x + attention(norm(x)), x <- x + W2 GELU(W1 norm(x)).
    """

    def __init__(
        self,
        words: int,
        tokens: int,
        width: int = 32,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.0,
        classes: int = 2,
    ) -> None:
        super().__init__(words, width)
        self.positions = nn.Parameter(torch.zeros(tokens, width))
        self.layers = nn.Sequential(*(Layer(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, embedded: Tokens) -> Logits:
        tokens = self.dropout(embedded + self.positions)
        return self.head(self.dropout(self.norm(self.layers(tokens)).mean(1)))

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        nn.init.normal_(self.positions, std=0.02, generator=generator)


ARCHITECTURES = {"text-transformer": TextTransformer}
