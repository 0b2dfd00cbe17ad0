"""Adult labels: three things that may be true of a person of the 1994 US census at once. Several labels on Adult."""

from dataclasses import replace

import pandas as pd

from probe.task import MultiLabel
from probe_models.datasets import adult

NAME = "adult-labels"
CLASSES = ("over 50K", "over 40 hours", "degree")  # a year, a week; a bachelor's degree or more
TASK = MultiLabel(CLASSES)
LEFT_OUT = ("hours_per_week", "education_num")  # what the labels are made of
BACHELOR = 13  # of education_num


def _load() -> pd.DataFrame:
    table = adult.people()
    true = (
        table["income"] == adult.CLASSES[1],
        table["hours_per_week"] > 40,
        table["education_num"] >= BACHELOR,
    )
    return table.assign(**dict(zip(CLASSES, true, strict=True)))


TABLE = replace(
    adult.TABLE,
    name=NAME,
    source="UCI Machine Learning Repository, Adult (Becker and Kohavi 1996), CC BY 4.0, official split. The labels are "
    "an income over 50,000 dollars, more than 40 hours of work a week, and a bachelor's degree or more; none of the "
    "three is an input. 9,344 of the 16,281 test rows have inputs that a training row has too",
    classes=CLASSES,
    task=TASK,
    load=_load,
    labels=CLASSES,
    numbers={name: bounds for name, bounds in adult.TABLE.numbers.items() if name not in LEFT_OUT},
)
read, space = TABLE.read, TABLE.space
