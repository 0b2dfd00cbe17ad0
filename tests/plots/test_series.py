"""Series are drawn whole: no line leaves its lane."""

import numpy as np

from probe.plots.series import series_change


def test_an_attacked_series_is_drawn_whole_where_the_attack_goes_beyond_it():
    before = np.zeros((2, 20))
    before[:, 3] = 1.0
    after = before.copy()
    after[1, 5:7] = (-4.0, 5.0)
    ax = series_change(before, after)
    low, high = ax.get_ylim()
    for line in ax.get_lines():
        assert low <= line.get_ydata().min() <= line.get_ydata().max() <= high
    assert ax.get_xlim() == (-0.5, 19.5)
