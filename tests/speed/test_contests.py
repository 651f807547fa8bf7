"""Contests by hand, and each sub-command once, with little to do."""

from __future__ import annotations

import json
import os

import pytest

from go4align_plugins.speed.checkout import import_example
from go4align_plugins.speed.cli import main
from go4align_plugins.speed.contests import Contest, Result, contest_table, hold

MAIN = os.environ.get('LIBMTL_MAIN')


def test_table_by_hand():
    results = [
        Result((0.002, 0.004, 0.002), (1.0, 1.0, 1.0), 'reading', 'numpy'),
        Result((0.004, 0.004, 0.001), (2.0, 1.0, 0.5), 'reading', 'ours'),
    ]
    assert contest_table(results, 'frame') == (
        'reading  ms per frame  ratio       quartiles  frames per second\n'
        '  numpy         2.000  1.000  1.000 to 1.000              500.0\n'
        '  ours          4.000  1.000  0.750 to 1.500              250.0'
    )


def test_units_and_failures():
    def fails():
        raise RuntimeError('no')

    contests = [Contest('a', 'x', {'x': list, 'y': fails}, 4, {'z': 'not there'})]
    results, failures = hold(contests, 2)
    assert [(result.entrant, result.ratios) for result in results] == [('x', (1.0, 1.0))]
    assert failures == {'a, z': 'not there', 'a, y': 'RuntimeError: no'}
    with pytest.raises(ValueError, match='a, x, which the others are compared with, should run'):
        hold([Contest('a', 'x', {'x': fails})], 2)


def test_checkout_without_the_example_is_refused(tmp_path):
    assert import_example(None, 'utils') is None
    with pytest.raises(ValueError, match='Parameter `libmtl` should be a checkout of LibMTL'):
        import_example(tmp_path, 'utils')


COMMANDS = {
    'iteration': ['--methods', 'GO4Align', '--tasks', '2', '--rounds', '1'],
    'metrics': ['--frames', '3', '--batch-size', '2', '--size', '16', '24', '--rounds', '1'],
    'data': ['--frames', '8', '--workers', '0', '--rounds', '1'],
}


@pytest.mark.integration
@pytest.mark.parametrize('command', COMMANDS)
def test_command_writes_figures_and_picture(command, tmp_path, capsys):
    pytest.importorskip(
        'go4align_plugins.libmtl', reason='LibMTL is not installed', exc_type=ImportError
    )
    pytest.importorskip('mmseg', reason='MMSegmentation is not installed')
    out = tmp_path / 'figures.json'
    assert main([command, *COMMANDS[command], '--threads', '1', '--json', str(out)]) == 0
    record = json.loads(out.read_text())
    assert record['results']
    assert record['failures'] == {}
    assert out.with_suffix('.png').stat().st_size > 1000
    if command == 'data':
        assert 0 < record['waiting']['0'] < 1


@pytest.mark.skipif(
    not MAIN, reason="needs a checkout of LibMTL's GitHub main, its path in LIBMTL_MAIN"
)
@pytest.mark.integration
def test_scores_are_those_of_libmtl_s_example(tmp_path, capsys):
    out = tmp_path / 'figures.json'
    assert main(['metrics', *COMMANDS['metrics'], '--libmtl', MAIN, '--json', str(out)]) == 0
    assert len(json.loads(out.read_text())['notes']) == 3
