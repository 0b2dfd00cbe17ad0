"""Known data, with counts inline so that no file is needed."""

import numpy as np
import pandas as pd
import pytest

from probe.bias.counts import Table
from probe.bias.means import means_of

# COMPAS two-year recidivism, all 7214 rows, "high" from decile 5: tn, fp, fn, tp (ProPublica's table).
COMPAS_RACE = {
    "African-American": (990, 805, 532, 1369),
    "Caucasian": (1139, 349, 461, 505),
    "Hispanic": (318, 87, 129, 103),
    "Other": (208, 36, 90, 43),
    "Asian": (21, 2, 3, 6),
    "Native American": (5, 3, 1, 9),
}
COMPAS_SEX = {"Female": (609, 288, 195, 303), "Male": (2072, 994, 1021, 1732)}


def expand(counts, attribute):
    """Rows with these confusion counts."""
    cells = [(y, p) for y in (0, 1) for p in (0, 1)]
    rows = [
        (name, *cell) for name, four in counts.items() for cell, n in zip(cells, four, strict=True) for _ in range(n)
    ]
    frame = pd.DataFrame(rows, columns=[attribute, "label", "prediction"])
    return frame["label"].to_numpy(), frame["prediction"].to_numpy(), frame[[attribute]]


def table_of(sizes):
    """The rows of so many groups, one group after the other, where only numbers are compared."""
    counts = np.zeros((len(sizes), 2, 2), dtype=np.int64)
    counts[:, 0, 0] = sizes
    return Table("group", tuple(map(str, range(len(sizes)))), counts, np.repeat(np.arange(len(sizes)), sizes), 0)


def groups_of(parts):
    """The means of groups whose values are given."""
    return means_of(table_of([len(part) for part in parts]), "mean_error", np.concatenate(parts), seed=0)


@pytest.fixture(scope="session")
def compas():
    return expand(COMPAS_RACE, "race")


@pytest.fixture(scope="session")
def random_rows():
    generator = np.random.default_rng(7)
    n = 600
    groups = pd.DataFrame(
        {
            "sex": generator.choice(["f", "m"], n),
            "race": generator.choice(["a", "b", "c", "d"], n, p=[0.5, 0.3, 0.15, 0.05]),
        }
    )
    return generator.integers(2, size=n), generator.integers(2, size=n), groups
