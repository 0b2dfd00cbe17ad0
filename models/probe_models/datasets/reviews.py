"""Movie reviews: does a sentence of a critic speak for the film or against it?"""

import io
from functools import cache

import numpy as np
import pandas as pd
import torch

from probe import Dataset, Space
from probe.errors import PlanError
from probe_models.datasets import BUNDLED
from probe_models.datasets.tabular import split_by_hash
from probe_models.datasets.tokens import encode, split, vocabulary
from probe_models.files import read_known

NAME = "reviews"
SIZE = 1_280_615
SHA256 = "cb8be7f5b27a77022240e8ffbba0aa54b08fd67fa08a5bd793be853913d37abd"
SOURCE = (
    "Sentences of film reviews from rottentomatoes.com (Pang and Lee 2004), each rated by 20 people (Hutto and Gilbert "
    "2014, VADER), MIT licence. The label is the sign of the mean rating. Of 10,605 sentences, 37 with a mean of 0 and "
    "2 that are there twice are left out: 10,566. 20 % of each label are for testing, chosen by a digest of the row"
)
CLASSES = ("negative", "positive")
FAVOURABLE = ""  # no outcome is favourable
TEST = 0.2  # part of the sentences
WORDS, TOKENS = 8192, 40  # of the vocabulary, and of a sentence


def read(split: str) -> Dataset:
    """The `train` or `test` split, as word ids (rows, 40): 0 is an absent word, 1 an unknown one."""
    table = _rows(split)
    return Dataset(
        inputs=encode(table["words"].tolist(), _words(), TOKENS),
        labels=torch.tensor(table["label"].to_numpy(np.int64)),
        space=space(),
        classes=CLASSES,
        name=f"reviews {split}",
        rows=torch.tensor(table.index.to_numpy(np.int64)),
        source=SOURCE,
    )


@cache
def space() -> Space:
    """Word ids; where a word is absent there is id 0, whose embedding is 0."""
    return Space(bounds=(0, len(_words()) - 1), words=_words(), reference=torch.zeros(1, TOKENS, dtype=torch.long))


def sentences(data: Dataset) -> list[list[str]]:
    """All words of each of these reviews, also those that no id stands for and those beyond the 40th."""
    assert data.rows is not None
    words: list[list[str]] = _table()["words"].loc[data.rows.numpy()].tolist()
    return words


@cache
def _words() -> tuple[str, ...]:
    # Fitted on the training rows: a word that only the test split has is unknown.
    return vocabulary(_rows("train")["words"], WORDS)


def _rows(name: str) -> pd.DataFrame:
    if name not in ("train", "test"):
        raise PlanError(f"reviews has the splits train, test; got {name!r}")
    table = _table()
    return table[table["split"] == name]


@cache
def _table() -> pd.DataFrame:
    content = read_known(BUNDLED / "movie_reviews.csv.gz", SIZE, SHA256)
    table = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    lines = pd.Series(content.splitlines()[1:])
    table = table.assign(words=table["text"].map(split), label=(table["sentiment"] > 0).astype(int))
    # A sentence that is there twice could end up in both splits.
    kept = (table["sentiment"] != 0) & ~table["words"].map(tuple).duplicated()
    table, lines = table[kept], lines[kept]
    return table.assign(split=split_by_hash(lines.tolist(), table[["label"]], TEST))
