"""A transformer for tables."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.attention import Layer
from probe_models.networks.columns import TableNetwork
from probe_models.networks.mlp import Bins
from probe_models.networks.shapes import Logits, Table


class FTTransformer(TableNetwork):
    """Features become tokens that attend to each other (Gorishniy et al. 2021, arXiv:2106.11959).

    It reads numbers first, then the one-hot coordinates of categories, whose counts are `levels`. Feature f becomes
    the token t[f] = W[f] x[f] + b[f]: of a number, x[f] is its piecewise-linear encoding (arXiv:2203.05556), of a
    category its one-hot coordinates, so that W[f] holds an embedding for each of its levels. With one more token c that
    belongs to no feature, each layer adds twice: x <- x + attention(norm(x)), x <- x + W2 GELU(W1 norm(x)). What has
    become of c is classified.
    """

    def __init__(
        self,
        numbers: int,
        levels: Sequence[int],
        bins: int,
        width: int = 32,
        layers: int = 2,
        heads: int = 4,
        classes: int = 2,
        dropout: float = 0.0,
        columns: Sequence[int] | None = None,
    ) -> None:
        super().__init__(numbers, columns)
        self.levels = list(levels)
        self.bins = Bins(numbers, bins)
        self.slopes = nn.Parameter(torch.zeros(numbers, bins, width))
        self.embeddings = nn.Parameter(torch.zeros(sum(levels), width))
        self.biases = nn.Parameter(torch.zeros(numbers + len(levels), width))
        self.question = nn.Parameter(torch.zeros(width))
        self.layers = nn.Sequential(*(Layer(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, inputs: Table) -> Logits:
        question = self.question.expand(inputs.shape[0], 1, -1)
        tokens = self.layers[:-1](torch.cat((question, self.tokens(inputs)), 1))
        return self.head(self.norm(self.layers[-1](tokens, asking=1)).squeeze(1))

    def tokens(self, inputs: Table) -> Float[Tensor, "rows features width"]:
        """A token for each feature."""
        numbers, onehots = self.divide(inputs)
        tokens = torch.einsum("rnb,nbw->rnw", self.bins(numbers), self.slopes)
        if self.levels:
            each = zip(torch.split(onehots, self.levels, 1), torch.split(self.embeddings, self.levels), strict=True)
            categories = torch.stack([onehot @ embedding for onehot, embedding in each], 1)
            tokens = torch.cat((tokens, categories), 1)
        return tokens + self.biases

    def adapt(self, inputs: Table, generator: torch.Generator) -> None:
        self.bins.adapt(self.divide(inputs)[0])
        # As large as a layer's weights would be: the bins of a number are added up, of a category's levels one is 1.
        bound = self.slopes.shape[1] ** -0.5
        nn.init.uniform_(self.slopes, -bound, bound, generator=generator)
        bound = self.embeddings.shape[1] ** -0.5
        for parameter in (self.embeddings, self.biases, self.question):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)


ARCHITECTURES = {"ftt": FTTransformer}
