"""Adult: does a person of the 1994 US census earn more than 50,000 dollars a year?"""

import io
from functools import cache

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.datasets import BUNDLED
from models.files import read_known
from probe import Dataset, Space
from probe.errors import PlanError
from probe.tensors import generator

SIZE = 5_554_299
SHA256 = "c6c77bfbd8b6c387f5e508860cdc6595f3522e645be92e9d55612bbf046829f9"
SOURCE = "UCI Machine Learning Repository, Adult (Becker and Kohavi 1996), CC BY 4.0, official split"
SPLITS = {"train": 32_561, "test": 16_281}
CLASSES = ("<=50K", ">50K")
GROUPS = ["sex", "race"]

# What an answer on the census form can be: no younger than 17, no more than 99,999 dollars, 99 hours.
NUMBERS = {
    "age": (17, 90),
    "education_num": (1, 16),
    "capital_gain": (0, 99_999),
    "capital_loss": (0, 4_356),
    "hours_per_week": (1, 99),
}
# `education` says in words what education_num says, and fnlwgt is the weight of the row in the census.
CATEGORIES = ("workclass", "marital_status", "occupation", "relationship", "race", "sex", "native_country")
FEATURES = (*NUMBERS, *CATEGORIES)
IMMUTABLE = ("age", "race", "sex", "native_country")


def read(split: str) -> Dataset:
    """The official `train` or `test` split."""
    if split not in SPLITS:
        raise PlanError(f"adult has the splits {', '.join(SPLITS)}; got {split!r}")
    table = _table()
    rows = (table["split"] == split).to_numpy().nonzero()[0]
    return Dataset(
        inputs=_inputs()[torch.from_numpy(rows)],
        labels=torch.from_numpy((table["income"].iloc[rows] == CLASSES[1]).to_numpy(np.int64)),
        groups=table.iloc[rows][GROUPS].reset_index(drop=True),
        space=space(),
        classes=CLASSES,
        name=f"adult {split}",
        rows=torch.from_numpy(rows),
        source=SOURCE,
    )


@cache
def space() -> Space:
    """What the coordinates mean: five numbers in their own units, then each category as one-hot coordinates."""
    train = _inputs()[torch.from_numpy((_table()["split"] == "train").to_numpy().nonzero()[0])]
    widths = [1] * len(NUMBERS) + [len(values) for values in categories().values()]
    feature = torch.repeat_interleave(torch.arange(len(FEATURES)), torch.tensor(widths))
    number = feature < len(NUMBERS)
    low, high = torch.zeros(len(feature)), torch.ones(len(feature))
    low[number], high[number] = torch.tensor(list(NUMBERS.values()), dtype=torch.float32).T
    fixed = torch.tensor([FEATURES.index(name) for name in IMMUTABLE])
    return Space(
        bounds=(low, high),
        features=feature,
        names=FEATURES,
        levels=("",) * len(NUMBERS) + tuple(value for values in categories().values() for value in values),
        kinds=("integer",) * len(NUMBERS) + ("category",) * len(CATEGORIES),
        reference=train[torch.randperm(len(train), generator=generator(0, train.device))[:50]],
        mutable=~torch.isin(feature, fixed),
        # One standard deviation, so that a radius means the same for hours and for dollars.
        scale=torch.where(number, train.std(0), 1.0),
    )


@cache
def categories() -> dict[str, tuple[str, ...]]:
    """The values of each category, in the order of its coordinates; `?`, not known, is one of them."""
    return {name: tuple(sorted(_table()[name].unique())) for name in CATEGORIES}


@cache
def _inputs() -> Tensor:
    table = _table()
    parts = [table[list(NUMBERS)].to_numpy(np.float32)]
    for name, values in categories().items():
        codes = pd.Categorical(table[name], categories=list(values)).codes
        parts.append(np.eye(len(values), dtype=np.float32)[codes])
    return torch.from_numpy(np.concatenate(parts, axis=1))


@cache
def _table() -> pd.DataFrame:
    content = read_known(BUNDLED / "adult.csv.gz", SIZE, SHA256)
    return pd.read_csv(io.BytesIO(content), keep_default_na=False)
