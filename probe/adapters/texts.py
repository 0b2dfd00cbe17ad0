"""Text classifiers of Hugging Face, as a function of embeddings."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from probe.adapters.check import ROWS, check_model
from probe.errors import Unsupported
from probe.model import Model
from probe.space import Space
from probe.task import Task
from probe.tensors import generator

FAINT = 1e-30  # attention weight of an absent word: negligible, but with a finite logarithm


class TextNetwork(nn.Module):
    """A text classifier over embeddings (rows, tokens, width + 1).

    The last number is the presence of a word, from 0 for padding to 1, so that the attention mask is part of the input.
    Between 0 and 1 the attention to a word grows with its presence (`gradual`), so that the output is continuous and
    attributions add up. A network with a binary mask counts a word as present from 0.5.
    """

    def __init__(self, network: Any, padding: int, *, gradual: bool) -> None:
        super().__init__()
        self.network, self.padding, self.gradual = network, padding, gradual

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of token ids (rows, tokens), with the presence of each word."""
        vectors = self.network.get_input_embeddings()(ids)
        return torch.cat([vectors, (ids != self.padding)[..., None].to(vectors)], -1)

    def forward(self, embedded: Tensor) -> Tensor:
        vectors, there = embedded[..., :-1], embedded[..., -1].clamp(0, 1)
        mask = (there + FAINT).log()[:, None, None, :] if self.gradual else (there > 0.5).long()
        logits: Tensor = self.network(inputs_embeds=vectors, attention_mask=mask).logits
        return logits


def text_model(network: Any, tokenizer: Any, task: Task, name: str, length: int) -> Model:
    """A Model from a text network and its tokenizer, for texts of `length` tokens including padding.

    Raises:
        Unsupported: if its outputs from embeddings and from ids differ.
    """
    padding, first = _padding(tokenizer, name), _first(tokenizer)
    count = network.get_input_embeddings().num_embeddings
    reference = torch.full((1, length), padding)
    reference[:, : len(first)] = first
    words = dict.fromkeys(range(count), "") | {
        number: _readable(word) for word, number in tokenizer.get_vocab().items()
    }
    others = sorted(set(tokenizer.all_special_ids) - {padding})
    space = Space(
        bounds=(0, count - 1),
        words=tuple(words[number] for number in range(count)),
        special=(padding, *others),
        reference=reference,
    )
    rows = _rows(reference, padding, count)
    expected = _theirs(network, rows, padding, name)
    for gradual in (True, False):
        text = TextNetwork(network, padding, gradual=gradual).eval()
        if _agrees(text, rows, expected):
            model = Model(forward=text, embed=text.embed, space=space, task=task, name=name)
            check_model(model, rows)
            return model
    raise Unsupported(
        f"{name} answers differently from embeddings than from token ids, as networks do that look for the last word, "
        "so it cannot be explained word by word; wrap it by probe.from_predict_proba"
    )


def encode(tokenizer: Any, texts: Sequence[str], length: int, name: str) -> Tensor:
    """Token ids (texts, length), truncated and padded to `length`."""
    _padding(tokenizer, name)
    rows = tokenizer(list(texts), padding="max_length", truncation=True, max_length=length)["input_ids"]
    return torch.tensor(rows, dtype=torch.long)


def _padding(tokenizer: Any, name: str) -> int:
    if tokenizer.pad_token_id is None:
        raise Unsupported(f"the tokenizer of {name} has no padding token, which stands for an absent word; give it one")
    return int(tokenizer.pad_token_id)


def _first(tokenizer: Any) -> Tensor:
    """The first token of every text, such as [CLS], if there is one: attention needs at least one token."""
    ids = tokenizer("")["input_ids"][:1]
    return torch.tensor(
        [i for i in ids if i in tokenizer.all_special_ids and i != tokenizer.pad_token_id], dtype=torch.long
    )


def _readable(token: str) -> str:
    """A token without its marker of a preceding space."""
    return token.lstrip("Ġ▁") or token


def _rows(reference: Tensor, padding: int, count: int) -> Tensor:
    """Random texts of growing length."""
    random = torch.randint(count, (ROWS, reference.shape[1]), generator=generator(0, torch.device("cpu")))
    random = torch.where(random == padding, (padding + 1) % count, random)
    ends = torch.linspace(1, reference.shape[1], ROWS).long()[:, None]
    rows = torch.where(torch.arange(reference.shape[1]) < ends, random, padding)
    return torch.where(reference != padding, reference, rows)


@torch.no_grad()
def _theirs(network: Any, rows: Tensor, padding: int, name: str) -> Tensor:
    try:
        logits: Tensor = network(input_ids=rows, attention_mask=(rows != padding).long()).logits
    except Exception as error:  # the library may raise anything for unsuitable inputs
        raise Unsupported(
            f"{name} cannot answer {rows.shape[1]} tokens ({type(error).__name__}: {error}); set another length"
        ) from error
    return logits


@torch.no_grad()
def _agrees(text: TextNetwork, rows: Tensor, expected: Tensor) -> bool:
    try:
        found = text(text.embed(rows))
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False  # it does not accept such a mask
    return bool((found - expected).abs().max() < 1e-3 * expected.abs().max().clamp(min=1))
