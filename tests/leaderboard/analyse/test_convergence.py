import math
from dataclasses import replace

import pytest

from go4align_plugins.leaderboard.analyse.convergence import (
    Convergence,
    draw_convergence,
    measure_convergence,
)

from ..images import BLUE, ORANGE, colours_in
from ..run_folders import MULTI
from ..stores import make_entry


def rising(spec, segmentation, depth, seed=0, epochs=12):
    """A run whose metrics improve by equal steps until an epoch, and stay there."""
    run = make_entry(spec, seed=seed, epochs=epochs).run
    entries = []
    for entry in run.epochs:
        gained = [0.5 * min(entry['epoch'] / end, 1) for end in (segmentation, depth)]
        metrics = {
            'segmentation': {name: MULTI[name] * (1 + gained[0]) for name in ('mIoU', 'pixAcc')},
            'depth': {name: MULTI[name] * (1 - gained[1]) for name in ('abs_err', 'rel_err')},
        }
        entries.append({**entry, 'test': {'metrics': metrics}})
    return replace(run, epochs=tuple(entries))


def test_by_hand_and_seeds_are_averaged_after_the_deviation():
    # 95 % of 10 equal steps: the last of them; of 4 steps likewise. Deviation of 4 and 10: 3.
    runs = [rising('EW', 4, 10), rising('EW', 10, 4, seed=1), rising('UW', 5, 5)]
    equal, other = measure_convergence(runs, window=1)
    assert equal == Convergence('EW', {'segmentation': (4, 10), 'depth': (10, 4)}, (3, 3))
    assert equal.difference == 3.0  # though both tasks converge at epoch 7 on average
    assert (other.method, other.difference) == ('UW', 0.0)


def test_a_metric_that_is_not_finite_is_named():
    run = rising('EW', 4, 10)
    run.epochs[3]['test']['metrics']['depth']['abs_err'] = math.nan
    with pytest.raises(ValueError, match=r'EW-None-0, depth: .*finite'):
        measure_convergence([run])
    with pytest.raises(ValueError, match='Found none'):
        measure_convergence([])


def test_picture_has_a_colour_a_task_or_one_of_forty(tmp_path):
    runs = [rising('EW', 4, 10), rising('EW', 5, 9, seed=1), rising('UW', 5, 5)]
    draw_convergence(measure_convergence(runs), tmp_path / 'few.png')
    assert {ORANGE, BLUE} <= colours_in(tmp_path / 'few.png')
    epochs = {f'task {number}': (float(number),) for number in range(40)}
    draw_convergence([Convergence('EW', epochs, (11.5,))], tmp_path / 'many.png')
    assert ORANGE not in colours_in(tmp_path / 'many.png')
