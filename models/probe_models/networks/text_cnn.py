"""A convolutional network for sentences."""

from collections.abc import Sequence

import torch
from torch import nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Logits, Tokens
from probe_models.networks.words import WordNetwork


class TextCNN(WordNetwork):
    """Looks for phrases, wherever they stand (Kim 2014, arXiv:1408.5882).

    With x[t] the vectors of the words, a filter w of k words gives c[t] = ReLU(w . (x[t], ..., x[t+k-1]) + b) at each
    place, and max over t of c[t] says whether its phrase is there. There are `filters` filters of each of the lengths.
    One linear layer classifies what all of them found, and beside it the sum of all x[t] (arXiv:1607.01759): a largest
    cannot say that many words lean to the same side.
    """

    def __init__(
        self,
        words: int,
        width: int = 32,
        lengths: Sequence[int] = (3, 4, 5),
        filters: int = 64,
        dropout: float = 0.0,
        classes: int = 2,
    ) -> None:
        super().__init__(words, width)
        self.phrases = nn.ModuleList(nn.Conv1d(width, filters, length) for length in lengths)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(len(lengths) * filters + width, classes)

    def forward(self, embedded: Tokens) -> Logits:
        channels = self.dropout(embedded).mT
        found = [phrase(channels).relu().amax(2) for phrase in self.phrases]
        return self.head(self.dropout(torch.cat((*found, channels.sum(2)), 1)))


ARCHITECTURES = {"text-cnn": TextCNN}
