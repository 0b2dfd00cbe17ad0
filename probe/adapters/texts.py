"""Text classifiers of Hugging Face, as a function of embeddings."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from probe.adapters.check import ROWS, check_model
from probe.errors import DataError, RangeError, Unsupported
from probe.model import Model
from probe.names import Passed, a_kind
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
    _check_padding(tokenizer, padding, name)
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
    left = tokenizer.padding_side == "left"
    rows = _rows(reference, padding, count, left=left)
    expected = _theirs(network, rows, padding, name)
    for gradual in (True, False):
        text = TextNetwork(network, padding, gradual=gradual).eval()
        if _agrees(text, rows, expected):
            model = Model(forward=text, embed=text.embed, space=space, task=task, name=name)
            check_model(model, rows)
            return model
    padded = "save its tokenizer with padding_side = 'right' where its answers do not depend on that, or " * left
    raise Unsupported(
        f"{name} answers differently from embeddings than from token ids, as networks do that look for the last word, "
        f"so it cannot be explained word by word; {padded}wrap it by probe.from_predict_proba"
    )


class Encoded(NamedTuple):
    """Texts as token ids."""

    ids: Tensor  # (texts, length)
    notices: tuple[str, ...]  # what they do not tell of the texts


def encode(tokenizer: Any, texts: Passed[Sequence[str]], length: int, name: str) -> Encoded:
    """Token ids of texts, truncated and padded to `length`.

    Raises:
        DataError: if they are no list of texts, or one holds the padding token.
        RangeError: if what the tokenizer adds to every text takes more tokens than that.
    """
    padding, listed = _padding(tokenizer, name), _listed(texts)
    found = tokenizer(listed, padding="max_length", truncation=True, max_length=length)
    if longer := max(map(len, found["input_ids"])) - length:
        raise RangeError(
            f"length = {length} leaves no room beside the tokens that {name} adds to every text; set "
            f"{length + longer} or more"
        )
    ids, there = torch.tensor(found["input_ids"]), torch.tensor(found["attention_mask"]).bool()
    if (hidden := (there & (ids == padding)).any(1)).any():
        _check_padding(tokenizer, padding, name)
        row, token = int(hidden.nonzero()[0]), tokenizer.convert_ids_to_tokens(padding)
        raise DataError(
            f"text {row} holds {token!r}, by which the tokenizer of {name} marks absent words; take it out of the text"
        )
    return Encoded(ids, _lost(tokenizer, listed, length))


def _lost(tokenizer: Any, texts: list[str], length: int) -> tuple[str, ...]:
    """Sentences about texts that are cut, or that hold no word that the tokenizer knows."""
    special, unknown = set(tokenizer.all_special_ids), tokenizer.unk_token_id
    counts, longest = Counter[str](), 0
    for row in tokenizer(texts, verbose=False)["input_ids"]:
        words = {token for token in row if token == unknown or token not in special}
        longest = max(longest, len(row))
        counts[f"are longer than {length} tokens, and are cut there"] += len(row) > length
        counts["hold no word"] += not words
        counts["hold no word that the tokenizer knows"] += words == {unknown}
    most = f"; the longest has {longest:,}" * (longest > length)
    return tuple(f"{n:,} of {len(texts):,} texts {what}{most * ('cut' in what)}" for what, n in counts.items() if n)


def _listed(texts: Any) -> list[str]:
    """The texts as a list.

    Raises:
        DataError: for one text, which would be read letter by letter, and for anything that is no text.
    """
    if isinstance(texts, str | bytes) or (not isinstance(texts, Sequence) and not hasattr(texts, "tolist")):
        raise DataError(f"texts are {a_kind(texts)}, expected a list of texts, such as ['a fine film']")
    listed = texts.tolist() if hasattr(texts, "tolist") else list(texts)
    if not listed:
        raise DataError("texts are an empty list, expected at least one text")
    for at, text in enumerate(listed):
        if not isinstance(text, str):
            raise DataError(f"text {at} is {a_kind(text)}, {text!r:.60}, expected a str; fill it in, or leave it out")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise DataError(f"text {at} holds half of a letter (a surrogate); read it again with its own encoding")
    return listed


def _check_padding(tokenizer: Any, padding: int, name: str) -> None:
    """Raise Unsupported where the padding token also stands in texts, where the model attends to it."""
    if padding != tokenizer.unk_token_id and padding not in tokenizer("")["input_ids"]:
        return
    token = tokenizer.convert_ids_to_tokens(padding)
    raise Unsupported(
        f"the tokenizer of {name} pads with {token!r}, which it also writes into texts, so absent words cannot be told "
        "from present ones; give it another one (tokenizer.add_special_tokens({'pad_token': '[PAD]'}), "
        "model.resize_token_embeddings(len(tokenizer)), model.config.pad_token_id = tokenizer.pad_token_id), and save "
        "both"
    )


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


def _rows(reference: Tensor, padding: int, count: int, *, left: bool) -> Tensor:
    """Random texts of growing length, padded at the side that the tokenizer pads at."""
    random = torch.randint(count, (ROWS, reference.shape[1]), generator=generator(0, torch.device("cpu")))
    random = torch.where(random == padding, (padding + 1) % count, random)
    ends = torch.linspace(1, reference.shape[1], ROWS).long()[:, None]
    rows = torch.where(torch.arange(reference.shape[1]) < ends, random, padding)
    rows = torch.where(reference != padding, reference, rows)
    return torch.stack([row.roll(-int(end)) for row, end in zip(rows, ends, strict=True)]) if left else rows


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
