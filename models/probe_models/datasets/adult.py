"""Adult: does a person of the 1994 US census earn more than 50,000 dollars a year?"""

import io

import pandas as pd

from probe_models.datasets import BUNDLED
from probe_models.datasets.tabular import Table
from probe_models.files import read_known

NAME = "adult"
SIZE = 5_554_299
SHA256 = "c6c77bfbd8b6c387f5e508860cdc6595f3522e645be92e9d55612bbf046829f9"
CLASSES = ("<=50K", ">50K")


def people() -> pd.DataFrame:
    """All rows of the file, with what the label and the split are."""
    content = read_known(BUNDLED / "adult.csv.gz", SIZE, SHA256)
    table = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    return table.assign(label=table["income"] == CLASSES[1])


TABLE = Table(
    name=NAME,
    source="UCI Machine Learning Repository, Adult (Becker and Kohavi 1996), CC BY 4.0, official split. "
    "2,979 of the 16,281 test rows have inputs that a training row has too",
    classes=CLASSES,
    load=people,
    # What an answer on the census form can be: no younger than 17, no more than 99,999 dollars, 99 hours.
    numbers={
        "age": (17, 90),
        "education_num": (1, 16),
        "capital_gain": (0, 99_999),
        "capital_loss": (0, 4_356),
        "hours_per_week": (1, 99),
    },
    # `education` says in words what education_num says, and fnlwgt is the weight of the row in the census. A `?`, not
    # known, is a category like others.
    categories=("workclass", "marital_status", "occupation", "relationship", "race", "sex", "native_country"),
    immutable=("age", "race", "sex", "native_country"),
    groups=("sex", "race"),
)
read, space = TABLE.read, TABLE.space
FAVOURABLE = ">50K"  # the favourable outcome
