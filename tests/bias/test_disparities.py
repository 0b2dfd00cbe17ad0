"""The columns beside an estimate: which groups, how sure, and what could have been shown."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from probe.bias import audit
from probe.bias.intervals import largest_gap_interval
from probe.bias.permutation import permutation_p
from probe.bias.power import detectable_gap
from probe.bias.proportions import two_proportions_p
from tests.bias.conftest import COMPAS_RACE, expand


def test_a_gap_is_never_negative():
    low, high = largest_gap_interval([(np.array([20, 21, 19]), np.array([40, 40, 40]))], 0.95)
    assert low == 0
    assert 0 < high < 1


def test_no_p_value_is_zero():
    assert permutation_p([(np.array([0, 100]), np.array([100, 100]))], draws=99, seed=0) == 0.01


def test_p_values_of_two_proportions():
    found = two_proportions_p(
        *(np.array(values) for values in ([805, 3, 0, 4], [1795, 4, 9, 4], [349, 2, 0, 0], [1488, 6, 9, 0]))
    )
    # COMPAS, z = 12.780; a table of ten, Fisher; nothing happened in either group; no trials.
    assert_allclose(found, [2 * stats.norm.sf(12.780), 0.5238, 1.0, np.nan], rtol=2e-2)
    assert found[1] == pytest.approx(0.5238, abs=5e-5)


def test_no_events_do_not_mean_that_any_gap_could_be_seen():
    none, all_of_them = detectable_gap([0, 30], [30, 30], [0, 30], [30, 30])
    assert none == pytest.approx(all_of_them)
    assert none > 0.05
    assert np.isnan(detectable_gap([0], [0], [5], [10])).all()


def test_the_headline_names_the_smallest_group_and_its_denominator(compas):
    rows = audit(*compas).disparities.set_index("metric")
    assert rows["smallest_group"].tolist() == ["Asian (32 rows)"] * 2 + ["Other (133 positives)"]
    assert rows["n"].tolist() == [7196, 7196, 7164]


def test_the_headline_could_have_shown_the_gap_of_its_hardest_pair(compas):
    rows = audit(*compas).disparities.set_index("metric")
    cells = np.array([COMPAS_RACE["Asian"], COMPAS_RACE["African-American"]])
    selected, n = cells[:, 1] + cells[:, 3], cells.sum(1)
    hardest = detectable_gap(selected[0], n[0], selected[1:], n[1:], alpha=0.05 / 10)[0]
    gap = rows.loc["demographic_parity_difference", "detectable"]
    assert gap == pytest.approx(hardest)
    assert rows.loc["demographic_parity_ratio", "detectable"] == pytest.approx(1 - gap / (selected[1] / n[1]))


def test_a_gap_beyond_the_highest_rate_leaves_no_ratio_to_be_shown():
    rows = audit(*expand({"a": (39, 1, 0, 0), "b": (39, 1, 0, 0)}, "g")).disparities.set_index("metric")
    assert rows.loc["demographic_parity_difference", "detectable"] > 1 / 40
    assert np.isnan(rows.loc["demographic_parity_ratio", "detectable"])


def test_a_small_group_is_told_what_it_could_have_shown_against_the_largest():
    groups = {
        "first": (20, 20, 20, 20), "large": (200, 200, 200, 200), "two": (1, 0, 0, 1), "three": (2, 1, 0, 0),
        "twelve": (6, 6, 0, 0),
    }  # fmt: skip
    notes = {f.check: f.note for f in audit(*expand(groups, "g"), draws=9).findings}
    two, three = notes["enough rows of two in g"], notes["enough rows of three in g"]
    assert "2 rows in two: no gap in selection rate could have been shown (against the 800 of large" in two
    assert "1 positive in two: no gap in true positive rate could have been shown (against the 400 of large" in two
    assert "3 rows in three: no gap" in three
    assert "3 negatives in three" in three
    assert "no positives in three: its true positive rate is undefined" in three
    twelve = notes["enough rows of twelve in g"]
    assert "12 negatives in twelve: only a gap of at least 0.37 in false positive rate could have been shown" in twelve


def test_the_level_moves_every_interval(compas):
    wide, narrow = audit(*compas, level=0.99), audit(*compas, level=0.8)
    for frame, bounds in [("groups", "fpr"), ("groups", "impact_ratio"), ("pairs", None), ("disparities", None)]:
        low, high = (f"{bounds}_low", f"{bounds}_high") if bounds else ("low", "high")
        outer, inner = getattr(wide, frame), getattr(narrow, frame)
        kept = outer[low].notna()
        assert kept.any()
        gain = (outer[high] - outer[low])[kept] - (inner[high] - inner[low])[kept]
        sure = inner["group"] == inner["reference"] if bounds == "impact_ratio" else False  # it is 1 at either level
        assert ((gain > 0) | sure).all()
        assert (gain >= 0).all()
    assert (wide.pairs["detectable"] > narrow.pairs["detectable"]).all()


def test_pairs_are_adjusted_over_the_whole_attribute(compas):
    pairs = audit(*compas).pairs
    assert len(pairs) == 15 * 3
    assert (pairs["p_adjusted"] >= pairs["p_value"]).all()
    least = pairs["p_value"].idxmin()
    assert pairs.loc[least, "p_adjusted"] == pytest.approx(45 * pairs.loc[least, "p_value"])


def test_two_groups_have_one_interval_wherever_they_are_compared():
    report = audit(*expand({"a": (30, 30, 20, 40), "b": (60, 10, 40, 20)}, "g"))
    pair = report.pairs.set_index("metric").loc["selection_rate"]
    gaps = report.disparities.set_index("metric")
    gap, ratio = gaps.loc["demographic_parity_difference"], gaps.loc["demographic_parity_ratio"]
    assert_allclose([gap.estimate, gap.low, gap.high], [pair.difference, pair.low, pair.high])
    assert gap.detectable == pair.detectable
    lowest = report.groups.set_index("group").loc["b"]
    impact = [lowest.impact_ratio, lowest.impact_ratio_low, lowest.impact_ratio_high]
    assert_allclose(impact, [ratio.estimate, ratio.low, ratio.high])


def test_one_row_is_counted_in_the_singular():
    report = audit(*expand({"a": (1, 0, 1, 0), "b": (1, 1, 1, 1)}, "g"), smallest=1)
    assert set(report.disparities["smallest_group"]) == {"a (2 rows)", "a (1 positive)"}
