import numpy as np
import pytest
from scipy.special import betaln

from probe.anytime import anytime, first_decided
from probe.errors import RangeError
from probe.statistics import wilson


def test_an_interval_is_the_shares_against_which_a_bet_has_not_won_twenty_times_its_stake():
    k, n = np.array([0, 3, 50, 99, 7]), np.array([4, 9, 120, 99, 8])
    low, high = anytime(k, n)
    shares = np.linspace(0.0005, 0.9995, 1000)[:, None]
    wealth = betaln(k + 0.5, n - k + 0.5) - betaln(0.5, 0.5) - k * np.log(shares) - (n - k) * np.log(1 - shares)
    np.testing.assert_array_equal((low <= shares) & (shares <= high), wealth < np.log(20))
    least, most = wilson(k, n)
    assert ((low <= least) & (most <= high)).all()  # one look at a number fixed before is worth more


def test_nothing_is_known_without_trials_and_odd_counts_are_refused():
    assert [float(end) for end in anytime(0, 0)] == [0.0, 1.0]
    for wrong in ((3, 2), (-1, 4)):
        with pytest.raises(RangeError, match="0 to `trials` hits"):
            anytime(*wrong)
    with pytest.raises(RangeError, match="between 0 and 1"):
        anytime(1, 2, level=1.0)


@pytest.mark.parametrize("audits", [400, pytest.param(4_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.97])
def test_audits_that_look_after_each_batch_are_wrong_in_one_of_twenty_at_most(audits, share):
    looks = np.arange(25, 25 * 41, 25)
    hits = np.random.default_rng(0).binomial(25, share, (audits, 40)).cumsum(1)
    # A threshold just above the share: each "at least" is wrong.
    at = first_decided(hits, looks, share + 1e-9)
    wrong = ((at >= 0) & (np.take_along_axis(hits, at[:, None], 1)[:, 0] > share * looks[at])).mean()
    assert wrong <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / audits)
    if share == 0.7:
        peeking = (wilson(hits, looks)[0] > share).any(1).mean()
        assert peeking > 0.1  # what these intervals are for
        far = first_decided(hits, looks, 0.5)
        assert (far >= 0).all()
        assert looks[far].mean() < 150
