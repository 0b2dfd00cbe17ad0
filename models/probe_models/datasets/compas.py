"""COMPAS: is a person charged with a crime in Broward County charged again within two years?"""

import io

import pandas as pd

from probe_models.datasets import BUNDLED
from probe_models.datasets.tabular import Table, split_by_hash
from probe_models.files import read_known

NAME = "compas"
SIZE = 574_786
SHA256 = "08b041c03f23083e7ba82ddb8d2d926587d8861142d62f06454cec2e44026395"
TEST = 0.3  # part of the rows

# Left out on purpose: is_recid is the label over a longer time, decile_score and score_text are another model's answer,
# days_b_screening_arrest tells arrests apart that were matched late, and race is what the audit asks about.
NUMBERS = {
    "age": (18, 96),
    "priors_count": (0, 38),
    "juv_fel_count": (0, 20),
    "juv_misd_count": (0, 13),
    "juv_other_count": (0, 17),
}
DEGREES = {"F": "felony", "M": "misdemeanor"}


def _load() -> pd.DataFrame:
    content = read_known(BUNDLED / "compas.csv.gz", SIZE, SHA256)
    table = pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values={"days_b_screening_arrest": ""})
    lines = pd.Series(content.splitlines()[1:])
    kept = (
        (table["days_b_screening_arrest"].abs() <= 30)
        & (table["is_recid"] != -1)
        & (table["c_charge_degree"] != "O")
        & (table["score_text"] != "N/A")
    )
    table, lines = table[kept], lines[kept]
    return table.assign(
        c_charge_degree=table["c_charge_degree"].map(DEGREES),
        label=table["two_year_recid"],
        split=split_by_hash(lines.tolist(), table[["two_year_recid", "race", "sex"]], TEST),
    )


TABLE = Table(
    name=NAME,
    source=(
        "ProPublica, compas-analysis (Larson, Mattu, Kirchner and Angwin 2016). Of 7,214 rows, 307 without a number of "
        "days between screening and arrest and 735 with more than 30 are left out; is_recid = -1, charges of degree O "
        "and scores of N/A would be, but none is left: 6,172 rows. 30 % of each label, race and sex are for testing, "
        "chosen by a digest of the row. 1,416 of the 1,853 test rows have inputs that a training row has too"
    ),
    classes=("no", "yes"),
    load=_load,
    numbers=NUMBERS,
    categories=("c_charge_degree", "sex"),
    immutable=("age", "sex"),
    groups=("sex", "race"),
)
read, space, CLASSES = TABLE.read, TABLE.space, TABLE.classes
FAVOURABLE = "no"  # the favourable outcome
