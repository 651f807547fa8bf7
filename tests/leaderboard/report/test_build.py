import csv
import importlib
import io
import json
import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import build_report, load_run
from go4align_plugins.leaderboard.report.scores import bootstrap_interval

from ... import TOOLS
from ..run_folders import MULTI, SINGLE, STREETS, entry, make, make_singles, scaled, write_run


@pytest.fixture
def singles(tmp_path):
    return make_singles(tmp_path)


def cells(report):
    return list(csv.DictReader(io.StringIO(report.csv())))


def test_delta_m_rank_and_time_by_hand(tmp_path, singles):
    ew = make(tmp_path, 'ew')
    other = {**MULTI, 'mIoU': 0.55, 'rel_err': 10.0}
    uw = make(tmp_path, 'uw', other, weighting='UW', seconds=3.0)
    report = build_report([ew, uw], singles, STREETS)
    stl, first, second = cells(report)
    assert [row['method'] for row in (stl, first, second)] == ['STL', 'EW', 'UW']
    assert float(first['delta_m']) == pytest.approx(-2.5)
    # Ranks: 1 and 2, a tie of 1.5 twice, 2 and 1.
    assert float(first['MR']) == float(second['MR']) == pytest.approx(1.5)
    assert float(second['relative_time']) == pytest.approx(1.5)
    assert float(stl['relative_time']) == pytest.approx(1.5)  # two tasks of 1.5 s against 2 s
    assert stl['delta_m'] == stl['MR'] == ''
    text = report.markdown()
    assert text.startswith('| method | segmentation<br>mIoU ↑<br>% |')
    equal = '**60.00** | **72.00** | **0.0100** | 30.00 | **1.50** | -2.50 | 2.50 | 1.00'
    assert f'| EW | {equal} |' in text
    # LibMTL's mean over the tasks: with two metrics each, it is the negative of delta_m.
    assert float(second['improvement']) == pytest.approx(0.25)
    assert 'not comparable' in report.notes[0]
    assert report.notes[1:] == ('No interval against EW for UW: it needs 2 seeds in common.',)
    for fact in ('streets', '6 train + 2 val frames', 'last 3 of 3', 'seeds 0', 'segnet-small'):
        assert fact in report.caption


@pytest.mark.parametrize('factor', [0.1, math.nan])
def test_neither_single_tasks_nor_a_diverged_run_are_the_best(tmp_path, singles, factor):
    worse = {'mIoU': 0.1, 'pixAcc': 0.1, 'abs_err': 1.0, 'rel_err': 90.0}
    runs = [make(tmp_path, 'a', worse), make(tmp_path, 'b', scaled(factor), weighting='UW')]
    table = build_report(runs, singles, STREETS).markdown()
    assert '| STL | 50.00 |' in table
    assert '| EW | **10.00** |' in table
    assert f'| UW | {60 * factor:.2f} |' in table


def test_seeds_are_averaged_with_their_deviation(tmp_path, singles):
    runs = [make(tmp_path, f'ew-{seed}', scaled(1 + seed / 10), seed=seed) for seed in (0, 1)]
    report = build_report(runs, singles, STREETS)
    row = cells(report)[1]
    assert float(row['segmentation/mIoU']) == pytest.approx(0.63)
    assert float(row['segmentation/mIoU std']) == pytest.approx(0.06 / math.sqrt(2))
    assert '63.00 ± 4.24' in report.console()
    assert 'seeds 0 (STL), 0 1 (EW)' in report.caption
    apart = [cells(build_report([run], singles, STREETS))[1] for run in runs]
    assert float(row['delta_m']) == pytest.approx(fmean(float(each['delta_m']) for each in apart))


def test_other_arguments_are_another_method(tmp_path):
    options = {'weighting': 'GO4Align'}
    runs = [make(tmp_path, f'{k}', weight_args={'GO4Align_num_groups': k}, **options) for k in '12']
    names = [row['method'] for row in cells(build_report(runs, [], STREETS))]
    assert names == ['GO4Align (num_groups=1)', 'GO4Align (num_groups=2)']


def test_final_averages_the_last_epochs(tmp_path):
    run = make(tmp_path, 'run', epochs=4)
    run = replace(run, epochs=tuple(entry(epoch, scaled(epoch)) for epoch in range(4)))
    assert run.final(2)['segmentation']['mIoU'] == pytest.approx(0.6 * 2.5)
    assert run.final(10)['depth']['rel_err'] == pytest.approx(30 * 1.5)
    with pytest.raises(ValueError, match='last = 0'):
        run.final(0)


def test_what_is_left_out_is_said(tmp_path, singles):
    uw = make(tmp_path, 'uw', weighting='UW')
    report = build_report([uw], singles[:1], STREETS)
    assert not {'delta_m', 'relative_time'} & {*cells(report)[0]}
    assert report.notes == (
        'delta_m is left out: no single-task run of depth.',
        'Relative time is left out: no run of EW.',
    )
    assert all(note in report.markdown() and note in report.console() for note in report.notes)
    zero = make(tmp_path, 'zero', {**SINGLE, 'mIoU': 0.0}, ['segmentation'])
    report = build_report([uw], [zero, singles[1]], STREETS)
    assert report.notes[0] == 'delta_m is left out: segmentation mIoU of STL is 0.'


def test_console_columns_are_aligned(tmp_path, singles):
    runs = [make(tmp_path, 'ew'), make(tmp_path, 'go', scaled(1.1), weighting='GO4Align')]
    lines = build_report(runs, singles, STREETS).console().splitlines()
    assert len({len(line) for line in lines[1:8]}) == 1
    assert lines[0].split() == ['segmentation', 'depth']
    assert '66.00*' in lines[6]


@pytest.mark.parametrize(
    ('key', 'value'),
    [('protocol', 'paper'), ('backbone', 'resnet50'), ('epochs', 2), ('batch_size', 2)],
)
def test_runs_that_differ_are_refused(tmp_path, singles, key, value):
    runs = [make(tmp_path, 'ew'), make(tmp_path, 'other', weighting='UW', **{key: value})]
    with pytest.raises(ValueError, match=rf'share their {key}.* in .*ew, {value} in .*other'):
        build_report(runs, singles, STREETS)


def test_unfit_runs_are_refused(tmp_path, singles):
    ew, again, cut = (make(tmp_path, name) for name in ('ew', 'again', 'cut'))
    for runs, name, message in (
        ([ew, again], 'streets', r'seed 0 of EW in .*ew and .*again'),
        ([], 'streets', 'Found none'),
        ([ew, singles[0]], 'streets', 'share several tasks. Found segmentation, depth in .*ew'),
        ([ew], 'rooms', r'benchmark rooms.*streets in .*ew'),
        ([replace(cut, epochs=cut.epochs[:2])], 'streets', r'cut at 2 of 3 epochs'),
    ):
        with pytest.raises(ValueError, match=message):
            build_report(runs, [], get_benchmark(name))


def test_of_an_epoch_the_last_whole_line_counts(tmp_path):
    folder = write_run(tmp_path / 'run')
    with (folder / 'metrics.jsonl').open('a') as stream:
        stream.write(json.dumps(entry(1, scaled(2))) + '\n' + json.dumps(entry(3, MULTI))[:50])
    with pytest.warns(UserWarning, match=r'metrics.jsonl, line 5, is only half written'):
        run = load_run(folder)
    assert run.curve('segmentation', 'mIoU') == [0.6, 1.2, 0.6]


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('config.json', None, 'No such file'),
        ('config.json', '{', 'one JSON object'),
        ('config.json', '[]', '`benchmark` should be a str. Found None'),
        ('config.json', '{"benchmark": "streets"}', '`tasks` should be a list. Found None'),
        ('metrics.jsonl', None, 'No such file'),
        ('metrics.jsonl', '', 'Found none'),
        ('metrics.jsonl', '{\n{}', 'line 1, should be a JSON object'),
        ('metrics.jsonl', '{}', "line 1, .*Missing: 'epoch'"),
        ('metrics.jsonl', json.dumps(entry(1, MULTI)), 'every epoch from 0 on. Found .1'),
        ('metrics.jsonl', json.dumps(entry(0, {**MULTI, 'mIoU': '1'})), "mIoU. Found '1'"),
        ('metrics.jsonl', json.dumps(entry(0, MULTI, ['depth'])), "Missing: 'segmentation'"),
    ],
)
def test_broken_files_are_named(tmp_path, name, text, message):
    folder = write_run(tmp_path / 'run')
    path = folder / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ValueError, match=rf'{name}.*{message}'):
        load_run(folder)


def test_command_prints_and_writes_the_table(tmp_path, singles, monkeypatch, capsys):
    monkeypatch.syspath_prepend(TOOLS)
    tool, out = importlib.import_module('report').main, tmp_path / 'new' / 'demo'
    folders = [str(run.folder) for run in (*singles, make(tmp_path, 'ew'))]
    tool([*folders, '--last', '2', '--out', str(out)])
    assert 'last 2 of 3 epochs' in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ['report.csv', 'report.md']
    with pytest.raises(SystemExit, match='2'):
        tool([str(tmp_path / 'nowhere')])
    assert 'nowhere' in capsys.readouterr().err


def test_interval_of_four_differences_by_hand():
    # Of the 256 resampled means of 0, 0, 0, 4 one is 4, 12 are 3, 54 are 2, 108 are 1, 81 are 0:
    # 2.5 % are 6.4 means, so that 3 is the first which 97.5 % do not exceed.
    assert bootstrap_interval([0.0, 0.0, 0.0, 4.0]) == (0.0, 3.0)
    assert bootstrap_interval([10.0, 10.0, 10.0, 22.0]) == pytest.approx((10.0, 19.0))
    assert bootstrap_interval([1.5] * 4) == (1.5, 1.5)
    assert bootstrap_interval([1.0, -2.0]) == pytest.approx((-2.0, 1.0)), 'of two: the range'
    assert bootstrap_interval([3.0, 1.0, 2.5]) == pytest.approx((1.0, 3.0))
    assert all(map(math.isnan, bootstrap_interval([1.0, math.nan])))


def test_interval_of_many_is_the_same_every_time_and_leaves_the_global_state():
    differences = list(np.random.default_rng(1).normal(1.0, 2.0, 30))
    state = np.random.get_state()[2]  # noqa: NPY002
    first = bootstrap_interval(differences)
    assert np.random.get_state()[2] == state  # noqa: NPY002
    assert bootstrap_interval(differences) == first
    # Near the interval of the normal distribution, which 30 differences are enough for.
    mean, error = fmean(differences), 1.96 * np.std(differences) / math.sqrt(30)
    assert first == pytest.approx((mean - error, mean + error), abs=0.1 * error)
