"""The base class of text networks."""

import torch
from torch import nn

from probe_models.networks.network import TokenNetwork
from probe_models.networks.shapes import Examples, Ids, Tokens


class WordNetwork(TokenNetwork):
    """A classifier of sentences of word ids, each of which stands for a vector that is learned.

    Id 0 is an absent word. Its vector is 0 and stays 0, and the rest of the network is not told which words are absent:
    it sees the vectors alone. So to leave a word out and to multiply its vector by 0 are the same.
    """

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width, padding_idx=0)

    def embed(self, ids: Ids) -> Tokens:
        return self.words(ids)

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        pass
