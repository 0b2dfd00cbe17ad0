"""Adult hours: how many hours a week does a person of the 1994 US census work? A regression on the rows of Adult."""

from dataclasses import replace

import pandas as pd

from probe.task import Regression
from probe_models.datasets import adult

NAME = "adult-hours"
LABEL = "hours_per_week"
CLASSES = ()
# A working day: who is told an answer that is off by more would plan another week.
TASK = Regression((LABEL,), tolerance=8.0)


def _load() -> pd.DataFrame:
    table = adult.people()
    return table.assign(label=table[LABEL])


TABLE = replace(
    adult.TABLE,
    name=NAME,
    source="UCI Machine Learning Repository, Adult (Becker and Kohavi 1996), CC BY 4.0, official split. The label is "
    "hours_per_week; income, which hours bring about, is no input. "
    "6,218 of the 16,281 test rows have inputs that a training row has too",
    classes=CLASSES,
    task=TASK,
    load=_load,
    numbers={name: bounds for name, bounds in adult.TABLE.numbers.items() if name != LABEL},
)
read, space = TABLE.read, TABLE.space
