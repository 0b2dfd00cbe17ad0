"""The columns beside an estimate: which groups, how sure, and what could have been shown."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from probe.bias import audit
from probe.bias.intervals import largest_gap_interval
from probe.bias.permutation import permutation_p
from probe.bias.proportions import two_proportions_p
from tests.bias.conftest import expand


def test_a_gap_is_never_negative():
    low, high = largest_gap_interval([(np.array([20, 21, 19]), np.array([40, 40, 40]))], 0.95)
    assert low == 0
    assert 0 < high < 1


def test_no_p_value_is_zero():
    assert permutation_p([(np.array([0, 100]), np.array([100, 100]))], draws=99, seed=0) == 0.01


def test_p_values_of_two_proportions_have_known_values():
    found = two_proportions_p(
        *(np.array(values) for values in ([805, 3, 0, 4], [1795, 4, 9, 4], [349, 2, 0, 0], [1488, 6, 9, 0]))
    )
    # COMPAS, z = 12.780; a table of ten, Fisher; nothing happened in either group; no trials.
    assert_allclose(found, [2 * stats.norm.sf(12.780), 0.5238, 1.0, np.nan], rtol=2e-2)
    assert found[1] == pytest.approx(0.5238, abs=5e-5)


def test_the_headline_names_the_smallest_group_and_its_denominator(compas):
    rows = audit(*compas).disparities.set_index("metric")
    assert rows["smallest_group"].tolist() == ["Asian (32 rows)"] * 2 + ["Other (133 positives)"]
    assert rows["n"].tolist() == [7196, 7196, 7164]


def test_the_confidence_level_changes_every_interval(compas):
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
    lowest = report.groups.set_index("group").loc["b"]
    impact = [lowest.impact_ratio, lowest.impact_ratio_low, lowest.impact_ratio_high]
    assert_allclose(impact, [ratio.estimate, ratio.low, ratio.high])


def test_one_row_is_counted_in_the_singular():
    report = audit(*expand({"a": (1, 0, 1, 0), "b": (1, 1, 1, 1)}, "g"), min_group_size=1)
    assert set(report.disparities["smallest_group"]) == {"a (2 rows)", "a (1 positive)"}


@pytest.mark.parametrize(("second", "exact"), [(5, True), (6, False), (7, False)])
def test_fisher_replaces_the_normal_approximation_below_five_expected_cases(second, exact):
    one, other, trials = np.array([4]), np.array([second]), np.array([100])
    pooled = (4 + second) / 200
    z = (0.04 - second / 100) / np.sqrt(pooled * (1 - pooled) * 2 / 100)
    table = [[4, 96], [second, 100 - second]]
    expected = stats.fisher_exact(table).pvalue if exact else 2 * stats.norm.sf(abs(z))
    assert two_proportions_p(one, trials, other, trials)[0] == pytest.approx(expected, rel=1e-9)
