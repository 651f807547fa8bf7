"""The measurement of the weighting step: what is measured, never how long it took."""

from __future__ import annotations

import json

import pytest
import torch

from go4align_plugins import GO4Align
from go4align_plugins.speed.cli import main
from go4align_plugins.speed.measure import FORWARD, Measure, peak_memory
from go4align_plugins.speed.methods import METHODS, OURS, build_method, is_feasible
from go4align_plugins.speed.step_report import step_tables

CPU = torch.device('cpu')


def make_measure(num_tasks, method, seconds, ratios):
    return Measure(num_tasks, 2, FORWARD, method, seconds, ratios, 2048, None)


def test_table_by_hand():
    measures = [
        make_measure(3, 'exact', (1e-5, 2e-5, 3e-5), (1.0, 1.0, 1.0)),
        make_measure(3, 'published', (2e-3, 2e-3, 4e-3), (200.0, 100.0, 133.0)),
        make_measure(40, 'exact', (1e-4,), (1.0,)),
    ]
    header, three, forty = step_tables(measures).split('\n\n')[0].splitlines()
    assert header.split() == ['weights', 'exact', 'published']
    assert three.split('  ')[0] == '3 tasks, 2 groups'
    assert '20.0 us' in three
    assert '2.0 ms (133 x)' in three
    assert forty.endswith('-')


def test_record_has_the_medians_beside_all_figures():
    record = make_measure(3, 'published', (1.0, 3.0, 2.0), (1.0, 2.0, 4.0)).record()
    assert record['median_seconds'] == 2
    assert record['median_ratio'] == 2
    assert record['ratio_quartiles'] == [1.5, 3]
    assert record['seconds'] == (1, 3, 2)
    assert json.loads(json.dumps(record))['memory'] == 2048


@pytest.mark.parametrize('method', METHODS[1:])
def test_methods_agree_where_there_is_one_good_grouping(method):
    if method == 'published':
        pytest.importorskip('kmeans_pytorch')
    losses = torch.tensor([1.0, 1.01, 30.0], requires_grad=True)
    try:
        weights = build_method(method, 3, 2, CPU)(losses)
    except ImportError as error:
        pytest.skip(str(error))
    torch.testing.assert_close(weights, GO4Align(3, 2)(losses), rtol=1e-4, atol=0)


def test_slow_methods_are_left_out_where_tasks_are_many():
    assert is_feasible(OURS, 10**6)
    assert is_feasible('sdp', 3)
    assert not is_feasible('sdp', 100)


@pytest.mark.integration  # a profiler's start takes seconds
def test_peak_memory_is_that_of_the_largest_moment():
    def step():
        for _ in range(3):
            torch.ones(2**18)  # a MiB, freed before the next one

    assert 2**20 <= peak_memory(step, CPU) < 2**20 + 2**16


def test_unknown_method_is_refused(capsys):
    assert main(['step', '--methods', 'quickest']) == 2
    assert "Found ['quickest']" in capsys.readouterr().err


@pytest.mark.integration
def test_command_writes_figures_and_picture(tmp_path, capsys):
    out = tmp_path / 'new' / 'step.json'
    options = ['--tasks', '2', '13', '--groups', '2', '5', '--rounds', '1', '--json', str(out)]
    assert main(['step', *options, '--methods', 'equal']) == 0
    assert '13 tasks, 5 groups' in capsys.readouterr().out
    record = json.loads(out.read_text())
    cells = {(m['num_tasks'], m['num_groups'], m['method']) for m in record['measures']}
    assert len(cells) == 6
    assert len(record['measures']) == 12
    assert record['device'] == 'cpu'
    assert out.with_suffix('.png').stat().st_size > 10_000
