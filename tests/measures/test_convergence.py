import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from go4align_plugins.measures.convergence import convergence_difference, convergence_epoch, smooth

CURVES = st.lists(st.integers(-100, 100).map(float), min_size=1, max_size=30)


def test_by_hand():
    # From 0 to 1: 95 % are there at epoch 3 as they are, at epoch 4 as means of three.
    curve = [0.0, 0.5, 0.8, 1.0, 1.0, 1.0, 1.0]
    assert convergence_epoch(curve, True, window=1) == 3
    # 0, (0 + 0.5 + 0.8) / 3 = 0.43, (0.5 + 0.8 + 1) / 3 = 0.77, 0.93, 1, 1, 1
    assert convergence_epoch(curve, True, window=3) == 4
    assert convergence_epoch(curve, True, share=0.5, window=1) == 1
    assert convergence_epoch([2.0, 1.0, 0.5, 0.6], False, share=1.0, window=1) == 2
    # A task that overfits has converged, and one that never improves at once.
    assert convergence_epoch([0.0, 1.0, 1.0, 0.4, 0.1], True, window=1) == 1
    assert convergence_epoch([1.0, 0.5, 0.2], True) == convergence_epoch([1.0, 1.0], False) == 0
    assert convergence_difference([2, 4, 9]) == pytest.approx(math.sqrt(26 / 3))


def test_smoothing_by_hand():
    assert smooth([0.0, 3.0, 0.0, 3.0, 9.0], 3) == [0, 1, 2, 4, 9]
    assert smooth([0.0, 3.0, 0.0, 3.0, 9.0], 5) == [0, 1, 3, 4, 9]
    assert smooth([4.0, 2.0], 5) == [4, 2]


def test_one_lucky_epoch_is_no_convergence():
    steady = [0.1 * epoch for epoch in range(11)]
    lucky = list(steady)
    lucky[3] = 1.2
    assert convergence_epoch(lucky, True, window=1) == 3
    assert convergence_epoch(lucky, True) == convergence_epoch(steady, True) == 10


@given(CURVES, st.sampled_from([0.5, 2.0, 8.0]), st.integers(-5, 5))
def test_units_and_direction_do_not_matter(curve, scale, offset):
    epoch = convergence_epoch(curve, True, window=1)
    assert convergence_epoch([scale * v + offset for v in curve], True, window=1) == epoch
    assert convergence_epoch([-v for v in curve], False, window=1) == epoch


@given(CURVES, st.floats(0.01, 1.0), st.sampled_from([1, 3, 5]))
def test_no_later_than_the_best_epoch(curve, share, window):
    scores = smooth(curve, window)
    epoch = convergence_epoch(curve, True, share, window)
    assert 0 <= epoch <= scores.index(max(scores))


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: convergence_epoch([], True), 'one finite value an epoch'),
        (lambda: convergence_epoch([1.0, math.nan], True), 'nan'),
        (lambda: convergence_epoch([1.0], True, share=0.0), 'share = 0'),
        (lambda: convergence_epoch([1.0], True, window=4), 'window = 4'),
        (lambda: convergence_difference([3]), r'Found `epochs = \[3\]`'),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
