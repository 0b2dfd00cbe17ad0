"""The one rule by which a number becomes a status."""

import math

import pytest

from probe.finding import Finding, Threshold, check, judge
from probe.formatting import NOT_MEASURED, UNDEFINED
from probe.statistics import Estimate

NAN, INF = math.nan, math.inf
CASES = [
    # low, high, at least 0.5, at most 0.5
    (0.1, 0.4, "fail", "pass"),  # below
    (0.6, 0.9, "pass", "fail"),  # above
    (0.4, 0.6, "inconclusive", "inconclusive"),  # across
    (0.5, 0.9, "pass", "inconclusive"),  # the lower end is the threshold
    (0.1, 0.5, "inconclusive", "pass"),  # the upper end is
    (0.5, 0.5, "pass", "pass"),  # both are
    (NAN, 0.9, "inconclusive", "inconclusive"),
    (0.1, NAN, "inconclusive", "inconclusive"),
    (NAN, NAN, "inconclusive", "inconclusive"),
    (None, 0.9, "inconclusive", "inconclusive"),
    (0.6, None, "inconclusive", "inconclusive"),
    (-INF, 0.4, "inconclusive", "inconclusive"),
    (0.6, INF, "inconclusive", "inconclusive"),
]


@pytest.mark.parametrize(("low", "high", "at_least", "at_most"), CASES)
def test_only_an_interval_on_one_side_of_the_threshold_is_conclusive(low, high, at_least, at_most):
    assert judge(low, high, 0.5, "at least") == at_least
    assert judge(low, high, 0.5, "at most") == at_most


@pytest.mark.parametrize(("status", "asked", "said"), [
    ("not run", 0.5, NOT_MEASURED),
    ("error", 0.5, NOT_MEASURED),
    ("inconclusive", 0.5, UNDEFINED),
    ("inconclusive", None, NOT_MEASURED),
])  # fmt: skip
def test_a_number_that_is_not_there_was_not_measured_or_is_undefined(status, asked, said):
    finding = Finding(aspect="performance", check="accuracy", status=status, threshold=asked, estimate=math.nan)
    assert finding.estimate is None
    line = finding.written()
    assert (line.estimate.value, line.n) == (said, "")
    assert bool(line.threshold) == (asked is not None)
    measured = Finding(aspect="performance", check="accuracy", status=status, estimate=0.25, low=0.0, high=INF, n=7)
    assert (measured.estimate, measured.low, measured.high) == (0.25, 0.0, None)
    assert measured.written().estimate.value not in (NOT_MEASURED, UNDEFINED)
    assert measured.to_json()["n"] == 7


def test_a_finding_is_judged_by_its_interval_and_not_by_its_estimate():
    for estimate, status in ((Estimate(0.7, 0.4, 0.9, 10), "inconclusive"), (Estimate(0.4, 0.6, 0.9, 10), "pass")):
        finding = check("performance", "accuracy", estimate, Threshold(0.5, "at least"))
        assert (finding.status, finding.estimate, finding.low, finding.high, finding.n) == (status, *estimate)
        assert (finding.threshold, finding.direction) == (0.5, "at least")
