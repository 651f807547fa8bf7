import math
from statistics import fmean

import numpy as np
import pytest

from go4align_plugins.leaderboard.report.scores import bootstrap_interval


def test_four_differences_by_hand():
    # Of the 256 resampled means of 0, 0, 0, 4 one is 4, 12 are 3, 54 are 2, 108 are 1, 81 are 0:
    # 2.5 % are 6.4 means, so that 3 is the first which 97.5 % do not exceed.
    assert bootstrap_interval([0.0, 0.0, 0.0, 4.0]) == (0.0, 3.0)
    low, high = bootstrap_interval([10.0, 10.0, 10.0, 22.0])
    assert (low, high) == pytest.approx((10.0, 19.0)), 'it moves and scales'
    assert bootstrap_interval([1.5] * 4) == (1.5, 1.5)
    assert bootstrap_interval([1.0, -2.0]) == pytest.approx((-2.0, 1.0)), 'of two: the range'
    assert bootstrap_interval([3.0, 1.0, 2.5]) == pytest.approx((1.0, 3.0))
    assert all(map(math.isnan, bootstrap_interval([1.0, math.nan])))


def test_many_are_drawn_alike_every_time_and_apart_from_the_global_state():
    differences = list(np.random.default_rng(1).normal(1.0, 2.0, 30))
    state = np.random.get_state()[2]  # noqa: NPY002
    first = bootstrap_interval(differences)
    assert np.random.get_state()[2] == state  # noqa: NPY002
    assert bootstrap_interval(differences) == first
    # Near the interval of the normal distribution, which 30 differences are enough for.
    error = 1.96 * np.std(differences) / math.sqrt(30)
    mean = fmean(differences)
    assert first == pytest.approx((mean - error, mean + error), abs=0.1 * error)
