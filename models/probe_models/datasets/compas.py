"""COMPAS: is a person charged with a crime in Broward County charged again within two years?"""

import csv
import gzip
import io
from hashlib import sha256

import pandas as pd

from probe.errors import IntegrityError
from probe_models.datasets import BUNDLED
from probe_models.datasets.elsewhere import Elsewhere, kept_in
from probe_models.datasets.tabular import Table, split_by_hash
from probe_models.files import read_known, unpack

NAME = "compas"
SIZE = 574_786
SHA256 = "08b041c03f23083e7ba82ddb8d2d926587d8861142d62f06454cec2e44026395"
TEST = 0.3  # part of the rows

# The publisher states no licence, so an installed probe reads the table from there.
FILE, PUBLISHED = "compas.csv.gz", "compas-scores-two-years.csv"
COMMIT = "bafff5da3f2e45eca6c2d5055faad269defd135a"
URL = f"https://raw.githubusercontent.com/propublica/compas-analysis/{COMMIT}/{PUBLISHED}"
PUBLISHED_SIZE = 2_546_489
PUBLISHED_SHA256 = "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d"
# Without names, dates of birth, case numbers and dates of jail.
COLUMNS = (
    "sex", "age", "age_cat", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count",
    "days_b_screening_arrest", "c_charge_degree", "c_charge_desc", "is_recid", "decile_score", "score_text",
    "two_year_recid",
)  # fmt: skip

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


def elsewhere() -> Elsewhere:
    """The table where it does not come with probe: a wheel has none."""
    remedy = f"set PROBE_DATA to a folder that holds {FILE}, or {PUBLISHED} as ProPublica published it"
    return Elsewhere(name=FILE, url=URL, size=PUBLISHED_SIZE, check=reduced, remedy=remedy)


def reduced(published: bytes) -> bytes:
    """What is kept of the publisher's file: the columns that are read, without names, as the bundled file has them.

    Raises:
        IntegrityError: if it is not the recorded file.
    """
    if (found := sha256(published).hexdigest()) != PUBLISHED_SHA256:
        raise IntegrityError(
            f"{PUBLISHED} has the SHA-256 {found[:12]}..., expected {PUBLISHED_SHA256[:12]}...: it is another edition, "
            f"or was cut; copy it again from {URL}"
        )
    lines = csv.reader(io.StringIO(published.decode(), newline=""))
    header = next(lines)
    places = [header.index(column) for column in COLUMNS]
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *([line[at] for at in places] for line in lines)])
    return gzip.compress(table.getvalue().encode(), mtime=0)


def content() -> bytes:
    """The table, from a checkout of probe, from $PROBE_DATA or the cache; else it is downloaded from ProPublica."""
    source, published = elsewhere(), kept_in() / PUBLISHED
    path = BUNDLED / FILE if (BUNDLED / FILE).is_file() else source.here()
    if path is None and published.is_file():
        return unpack(reduced(published.read_bytes()), FILE, SIZE, SHA256)
    return read_known(path or source.find(), SIZE, SHA256)


def _load() -> pd.DataFrame:
    bundled = content()
    table = pd.read_csv(io.BytesIO(bundled), keep_default_na=False, na_values={"days_b_screening_arrest": ""})
    lines = pd.Series(bundled.splitlines()[1:])
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
