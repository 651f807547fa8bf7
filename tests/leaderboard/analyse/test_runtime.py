import itertools
import json
from statistics import median

import pytest

from go4align_plugins.leaderboard.analyse.runtime import (
    WARM_UP,
    Timing,
    draw_runtime,
    explain_failure,
    time_steps,
    timing_table,
)
from go4align_plugins.leaderboard.cli import main


def test_table_of_medians_and_quartiles_by_hand():
    timings = [
        Timing(2, 'EW', (1.0,), (1.0,)),
        Timing(2, 'CAGrad', (2.0,) * 5, (1.0, 5.0, 2.0, 4.0, 3.0)),
        Timing(40, 'EW', (1.0,), (1.0,)),
    ]
    assert timing_table(timings) == (
        'time × EW            2 tasks           40 tasks\n'  # noqa: RUF001
        'EW         1.00 [1.00, 1.00]  1.00 [1.00, 1.00]\n'
        'CAGrad     3.00 [2.00, 4.00]             failed'
    )


def test_every_method_takes_a_step_in_each_round_and_none_always_follows_the_same_one():
    taken = []
    names = ('EW', 'UW', 'DWA')
    steps = {(2, name): (lambda name=name: taken.append(name)) for name in names}
    timings, failures = time_steps(steps, 20)
    rounds = [taken[start : start + 3] for start in range(0, len(taken), 3)]
    assert len(rounds) == WARM_UP + 20
    assert all(sorted(one) == sorted(names) for one in rounds)
    pairs = {tuple(pair) for one in rounds for pair in (one[:2], one[1:])}
    assert pairs == {*itertools.permutations(names, 2)}
    assert failures == {}
    equal, other, _ = timings
    assert equal.ratios == (1,) * 20
    assert other.ratios == tuple(a / b for a, b in zip(other.seconds, equal.seconds))


@pytest.mark.parametrize('calls', [1, WARM_UP + 2])
def test_a_failing_method_is_named_and_the_others_go_on(calls):
    left = iter(range(1, calls))

    def fails():
        if next(left, None) is None:
            raise RuntimeError('no solution\nand pages of reasons')

    timings, failures = time_steps({(2, 'EW'): list, (2, 'Nash_MTL'): fails, (2, 'UW'): list}, 3)
    assert failures == {(2, 'Nash_MTL'): 'RuntimeError: no solution'}
    assert [(timing.method, len(timing.ratios)) for timing in timings] == [('EW', 3), ('UW', 3)]
    with pytest.raises(ValueError, match=r'2 tasks, EW, .*IndexError: pop from empty list'):
        time_steps({(2, 'EW'): [].pop, (2, 'UW'): list}, 1)
    with pytest.raises(ValueError, match='repeats = 0'):
        time_steps({(2, 'EW'): list}, 0)
    assert explain_failure(AssertionError()) == 'AssertionError'


def test_picture_has_a_line_a_method(tmp_path):
    ratios = {'UW': 1.01, 'EW': 1.0, 'GO4Align': 0.99, 'CAGrad': 3.4}
    timings = [Timing(m, name, (1.0,), (ratios[name],)) for m in (2, 40) for name in ratios]
    draw_runtime(timings[:-1], 'CAGrad fails with 40 tasks.', tmp_path / 'runtime.svg')
    content = (tmp_path / 'runtime.svg').read_bytes()
    # The legend goes from the uppermost line to the lowest.
    order = [content.rindex(f'<!-- {name} -->'.encode()) for name in ('CAGrad', 'UW', 'EW')]
    assert order == sorted(order)


@pytest.mark.integration
def test_command(tmp_path, capsys):
    figures = tmp_path / 'figures' / 'runtime.json'
    arguments = ['--tasks', '40', '2', '--methods', 'GO4Align', 'CAGrad', 'GradDrop']
    arguments += ['--repeats', '2', '--batch-size', '2', '--json', str(figures)]
    assert main(['analyse', 'runtime', *arguments]) == 1
    assert 'GradDrop fails with 40 tasks: ' in capsys.readouterr().out
    record = json.loads(figures.read_text())
    timings = {(timing['tasks'], timing['method']): timing for timing in record['timings']}
    assert list(timings) == [(m, name) for m in (2, 40) for name in ('EW', 'GO4Align', 'CAGrad')]
    for timing in record['timings']:
        assert len(timing['seconds']) == 2
        assert timing['median_ratio'] == median(timing['ratios'])
    fast, slow = (min(timings[40, name]['ratios']) for name in ('GO4Align', 'CAGrad'))
    assert slow > 2 * fast  # 40 backward passes for one
    assert figures.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
    assert {failure['method'] for failure in record['failures']} == {'GradDrop'}


@pytest.mark.integration
@pytest.mark.parametrize('method', ['STL', 'Adam', 'GO4Align:num_groups=2', 'MoDo'])
def test_unknown_methods_are_refused(tmp_path, capsys, method):
    arguments = ['--tasks', '2', '--methods', method, '--json', str(tmp_path / 'runtime.json')]
    assert main(['analyse', 'runtime', *arguments]) == 2
    assert method in capsys.readouterr().err.partition('Found')[2]
    assert not list(tmp_path.iterdir())
