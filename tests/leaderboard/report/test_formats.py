"""The forms of a report, and the figures in them."""

import json
import math
import re
from dataclasses import replace

import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import Run, build_report
from go4align_plugins.leaderboard.report.formats import FORMATS, render_metafile
from go4align_plugins.leaderboard.report.html import render_html
from go4align_plugins.leaderboard.report.scores import Scoring
from go4align_plugins.leaderboard.report.table import Failure, Row
from go4align_plugins.leaderboard.report.text import escape, render_latex
from go4align_plugins.tasks import regression

from ..run_folders import MULTI, STREETS, entry, make, make_singles, options_of, scaled

EVIL = '</script><script>alert("1")</script>|&_%\n'


def make_report(folder, evil='GO4Align', seeds=(0, 1, 2), **options):
    runs = [
        make(folder, f'{index}-{seed}', scaled(factor + seed / 50), weighting=method, seed=seed)
        for index, (method, factor) in enumerate((('EW', 1.0), (evil, 1.1), ('UW', 0.9)))
        for seed in seeds
    ]
    return build_report(runs, make_singles(folder), STREETS, **options)


def make_many():
    """Runs of 40 tasks, without a folder: task number n of a method has an F1 of n/100 + seed."""
    benchmark = get_benchmark('celeba')
    names = list(benchmark.task_names)
    runs = []
    for tasks, seed in ((names, 0), (names, 1), *(([name], 0) for name in names)):
        metrics = {task: {'F1': (names.index(task) + 1) / 100 + seed / 10} for task in tasks}
        one = {'epoch': 0, 'test': {'metrics': metrics}, 'weights': {}, 'seconds': {'train': 1.0}}
        config = options_of(tasks, epochs=1, benchmark='celeba', seed=seed, num_frames={})
        runs.append(Run(None, config, (one,)))
    return runs[:2], runs[2:], benchmark


def test_intervals_of_the_difference_by_hand(tmp_path):
    # mIoU and the like rise or fall by 2 % a seed for both methods, and by 10 % for the second:
    # relative losses of -1.2, 0.9, -0.5, 1.5 a unit, whose mean is 0.
    report = make_report(tmp_path)
    row = next(row for row in report.rows if row.method == 'GO4Align')
    key = ('', 'delta_m_vs_EW')
    directions = [(0.6, 0.5, -1), (0.72, 0.8, -1), (0.01, 0.02, 1), (30.0, 20.0, 1)]
    slope = sum(sign * value / base for value, base, sign in directions) / 4
    assert row.means[key] == pytest.approx(100 * slope * 0.1)
    assert (row.lows[key], row.highs[key]) == pytest.approx((row.means[key],) * 2)
    assert key not in report.rows[1].means, 'EW has no difference to itself'
    assert any('1 of 2 or 1 of 4' in note for note in report.notes)


def test_the_best_epoch_is_chosen_by_the_improvement_and_named(tmp_path):
    run = make(tmp_path, 'ew')
    epochs = (entry(0, scaled(math.nan)), entry(1, {**MULTI, 'rel_err': 10.0}), entry(2, MULTI))
    run = replace(run, epochs=epochs)
    report = build_report([run], make_singles(tmp_path), STREETS, 1, best=True)
    assert report.rows[1].means['depth', 'rel_err'] == 30.0
    assert report.best.rows[1].means['depth', 'rel_err'] == 10.0
    assert 'best of 3 epochs on the test set' in report.best.caption
    for render in (type(report).markdown, type(report).console, render_latex, render_html):
        assert 'optimistic' in render(report)
    marks = [line.split(',')[3] for line in report.csv().splitlines()]
    assert marks == ['epochs', 'last', 'last', 'best', 'best']
    alone = build_report([run], [], STREETS, best=True)
    assert alone.best is None
    assert 'chosen by the improvement on STL' in alone.notes[-1]


def test_of_many_metrics_the_page_shows_their_means():
    runs, singles, benchmark = make_many()
    note = build_report(runs, [], benchmark).notes[0]
    assert note.endswith('of 5_o_Clock_Shadow, Arched_Eyebrows, Attractive and 37 more.')
    report = build_report(runs, singles, benchmark)
    titles = [column.title for column in report.brief]
    assert titles == ['mean F1 ↑', 'MR ↓', 'delta_m ↓', 'improvement ↑', 'time']
    row = report.rows[1]
    assert row.means['', 'mean F1'] == pytest.approx(0.205 + 0.05)
    assert row.deviations['', 'mean F1'] == pytest.approx(0.1 / math.sqrt(2))
    assert report.rows[0].means['', 'mean F1'] == pytest.approx(0.205)
    assert '25.50 ± 7.07' in report.markdown()
    table, details = report.markdown().split('| metric | STL | EW |\n')
    for brief in (table, report.console(), render_latex(report)):
        assert 'Eyeglasses' not in brief
    assert details.splitlines()[16] == '| Eyeglasses F1 ↑ % | 16.00 | 21.00 ± 7.07 |'
    assert len(details.splitlines()) == 1 + 40
    for whole in (report.csv(), render_html(report), render_metafile(report)):
        assert all(name in whole for name in report.benchmark.task_names)


def test_means_over_tasks_of_several_units_say_so():
    tasks = [regression(f'target {index}', 'meV' if index else 'D') for index in range(13)]
    row = Row('EW', (0,), {(task.name, 'MAE'): 2.0 for task in tasks})
    (mean, *_), _ = Scoring(tasks, {}).tabulate([row])
    assert (mean.title, mean.unit) == ('mean MAE ↓', 'mixed units')
    assert row.means[mean.key] == 2.0
    (same, *_), _ = Scoring([regression(t.name, 'D') for t in tasks], {}).tabulate([row])
    assert same.unit == 'D'
    # Twelve still fit on a page.
    assert len(Scoring(tasks[1:], {}).tabulate([row])[0]) == 12 + 1


def test_latex_is_balanced_and_escaped_and_marks_the_best(tmp_path):
    failures = [Failure('UW_a', 3, '100 % & $x$ {', 'logs/UW_a-3.log')]
    report = make_report(tmp_path, EVIL, failures=failures)
    for text in (report.markdown(), report.console(), render_html(report)):
        assert 'UW_a' in text
        assert 'logs/UW_a-3.log' in text
    text = render_latex(report)
    assert text.count(r'\begin{') == text.count(r'\end{') == 2
    rows = [line for line in text.splitlines() if line.endswith(r'\\')]
    columns = len(re.search(r'\\begin{tabular}{(\w+)}', text)[1])
    assert {len(re.findall(r'(?<!\\)&', row)) for row in rows[1:]} == {columns - 1}
    assert r'100 \% \& \$x\$ \{ (log: logs/UW\_a-3.log)' in text
    assert r'$<$/script$>$' in text
    assert r'\toprule' in text
    assert '_' not in text.replace(r'\_', '')
    assert re.search(r'& \\textbf\{67\.20 .*& \\textbf\{80\.64 ', text)
    assert escape('a_b<11°') == r'a\_b$<$11$^\circ$'


def test_metafile_is_a_model_index_entry(tmp_path):
    yaml = pytest.importorskip('yaml')
    content = yaml.safe_load(render_metafile(make_report(tmp_path)))
    (collection,) = content['Collections']
    models = {model['Metadata']['Weighting']: model for model in content['Models']}
    assert list(models) == ['STL', 'EW', 'GO4Align', 'UW']
    assert len({model['Name'] for model in content['Models']}) == 4
    ew = models['EW']
    assert ew['In Collection'] == collection['Name']
    assert (ew['Metadata']['Seeds'], ew['Metadata']['Batch Size']) == ([0, 1, 2], 8)
    facts = {'Task': 'Semantic Segmentation', 'Dataset': STREETS.title}
    assert ew['Results'][0] == {**facts, 'Metrics': {'mIoU': 61.2, 'pixAcc': 73.44}}


def data_of(report):
    return json.loads(re.search(r'id="data">(.*)</script>', render_html(report))[1])


def test_page_has_the_figures_and_the_curves(tmp_path):
    report = make_report(tmp_path)
    data = data_of(report)
    titles = [panel['title'] for panel in data['curves']]
    assert titles[1:] == ['segmentation: pixAcc ↑', 'depth: abs_err ↓', 'depth: rel_err ↓']
    lines = {line['method']: line['values'] for line in data['curves'][0]['lines']}
    assert lines['EW'] == [[61.2] * 3, [60.0] * 3, [62.4] * 3]
    assert lines['STL'][0] == [50.0] * 3
    assert [panel['method'] for panel in data['weights']] == ['EW', 'GO4Align', 'UW']
    assert data['weights'][0]['values'] == [[1.0] * 3] * 2
    assert 'data-value="0.6' in render_html(report)


def test_page_of_a_diverged_run_is_json(tmp_path):
    data = data_of(build_report([make(tmp_path, 'ew', scaled(math.nan))], [], STREETS))
    assert data['curves'][0]['lines'][0]['values'][0] == [None] * 3


def test_write_makes_what_is_asked_for(tmp_path):
    report = make_report(tmp_path)
    paths = report.write(tmp_path / 'new' / 'all', list(FORMATS))
    assert [path.name for path in paths] == [name for name, _ in FORMATS.values()]
    assert set((tmp_path / 'new' / 'all').iterdir()) == set(paths)
    with pytest.raises(ValueError, match=r'`formats` should be of md, csv.* Found pdf, txt'):
        report.write(tmp_path, ['txt', 'md', 'pdf'])
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file'):
        report.write(tmp_path / 'file')
