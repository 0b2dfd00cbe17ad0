"""Counts of groups and of their intersections, against counting row by row."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from probe.bias.counts import MOST_GROUPS, Outcomes, tabulate
from probe.bias.settings import Settings

ASKED = Settings(thresholds={}, order=3)


@pytest.fixture(scope="module")
def rows():
    source, n = np.random.default_rng(0), 120
    groups = pd.DataFrame(
        {
            "a": source.choice(["x", "y", None], n),
            "b": source.choice(["p", "q", "r", "?"], n),
            "c": source.choice([None, "k", "l"], n),
        }
    )
    return source.integers(2, size=n), source.integers(2, size=n), groups


@pytest.mark.parametrize("labelled", [True, False])
def test_each_attribute_and_intersection_counts_the_rows_that_name_all_of_its_groups(rows, labelled):
    labels, predictions, groups = rows
    tables = tabulate(Outcomes(labels if labelled else None, predictions), groups, ASKED)
    assert [table.attribute for table in tables] == ["a", "b", "c", "a x b", "a x c", "b x c", "a x b x c"]
    assert [table.order for table in tables] == [1, 1, 1, 2, 2, 2, 3]
    for table in tables:
        columns = table.attribute.split(" x ")
        cells = groups[columns].itertuples(index=False, name=None)
        named = [" & ".join(row) if all(isinstance(text, str) for text in row) else None for row in cells]
        cells = Counter(zip(named, labels if labelled else labels * 0, predictions, strict=True))
        assert list(table.names) == sorted({name for name in named if name})
        assert table.counts.shape == (len(table.names), 2, 2)
        for at, name in enumerate(table.names):
            for label in (0, 1):
                assert table.counts[at, label].tolist() == [cells[name, label, chosen] for chosen in (0, 1)]
        assert [None if code < 0 else table.names[code] for code in table.codes] == named
        known = sum(name is not None for name in named)
        assert table.row_accounting() == {
            "attribute": table.attribute,
            "rows": 120,
            "used": known,
            "unknown": 120 - known,
            "not_run": 0,
            "like_unknown": sum("?" in name for name in named if name),
            "notice": table.notice,
        }
        assert table.labelled == labelled
    assert "reads like an unknown" in tables[1].notice
    assert {table.notice for table in tables[3:]} == {""}


@pytest.mark.parametrize(("many", "compared"), [(MOST_GROUPS, True), (MOST_GROUPS + 1, False)])
def test_two_hundred_groups_are_compared_and_one_more_are_too_many(many, compared):
    groups = pd.DataFrame({"id": [f"n{at:03}" for at in range(many)] + [None, "?"][: 1 if compared else 0]})
    (table,) = tabulate(Outcomes(None, np.zeros(len(groups), dtype=np.int64)), groups, ASKED)
    accounting = table.row_accounting()
    if compared:
        assert (len(table.names), table.obstacle) == (200, "")
        assert (accounting["used"], accounting["not_run"], accounting["unknown"]) == (200, 0, 1)
        return
    assert (table.names, table.counts.shape) == ((), (0, 2, 2))
    assert table.obstacle == ("there are 201 groups, over 200, too many to compare; bin the values or drop the column")
    assert (accounting["used"], accounting["not_run"], accounting["like_unknown"]) == (0, 201, 0)


def test_what_reads_like_an_unknown_is_not_counted_where_nothing_is_compared():
    groups = pd.DataFrame({"id": [*(f"n{at:03}" for at in range(200)), "?"]})
    (table,) = tabulate(Outcomes(None, np.zeros(201, dtype=np.int64)), groups, ASKED)
    assert table.like_unknown == 1
    assert table.row_accounting()["like_unknown"] == 0


def test_an_intersection_of_an_attribute_that_no_row_names_holds_no_group():
    groups = pd.DataFrame({"a": ["x", "y"], "b": [None, None]})
    tables = tabulate(Outcomes(None, np.zeros(2, dtype=np.int64)), groups, ASKED)
    assert [table.names for table in tables] == [("x", "y"), (), ()]
    assert tables[2].codes.tolist() == [-1, -1]
