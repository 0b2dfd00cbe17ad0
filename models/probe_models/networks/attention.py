"""The layers of a transformer."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Tokens


class Layer(nn.Module):
    """Attention among the tokens, then a small network on each of them, with dropout after both."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0, *, causal: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads cannot share a width of {width}")
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads, causal=causal), Dropout(dropout))
        self.think = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            Dropout(dropout),
        )

    def forward(self, tokens: Tokens, asking: int | None = None) -> Float[Tensor, "rows asking width"]:
        """What becomes of the first `asking` tokens, or of all."""
        norm, attention, dropout = self.attend
        tokens = tokens[:, :asking] + dropout(attention(norm(tokens), asking))
        return tokens + self.think(tokens)


class Attention(nn.Module):
    """Each token takes a mean of all tokens' values: softmax(Q K' / sqrt(d)) V, by several heads at once.

    A causal one takes its own and those of the tokens before it.
    """

    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)

    def forward(self, tokens: Tokens, asking: int | None = None) -> Float[Tensor, "rows asking width"]:
        """What the first `asking` tokens take, or all of them."""
        batch, count, width = tokens.shape
        split = self.project(tokens).view(batch, count, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(queries[:, :, :asking], keys, values, is_causal=self.causal)
        return self.merge(mixed.transpose(1, 2).flatten(2))

    def extra_repr(self) -> str:
        return f"heads={self.heads}" + ", causal" * self.causal
