import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import Run, learning_curves, predictions_grid, weights_heatmap

from ... import TOOLS
from ..images import BLUE, GREEN, ORANGE, colours_in, count, pixels

ROOMS = get_benchmark('rooms')
NAMES = {task.name: [metric.name for metric in task.metrics] for task in ROOMS.tasks}
SIZE = (12, 16)


def make_run(weighting='GO4Align', tasks=ROOMS.task_names, seed=0, num_epochs=4, groups=True):
    epochs = []
    for epoch in range(num_epochs):
        value, late = 0.5 + 0.1 * epoch + seed, epoch / num_epochs
        entry = {
            'epoch': epoch,
            'test': {'metrics': {task: dict.fromkeys(NAMES[task], value) for task in tasks}},
            'weights': {task: 10.0**index for index, task in enumerate(tasks)},
            'groups': {task: [1 - late, late] for task in tasks} if groups else {},
            'seconds': {'train': 1.0, 'test': 1.0},
        }
        epochs.append(entry)
    config = {'benchmark': 'rooms', 'tasks': tasks, 'weighting': weighting, 'seed': seed}
    return Run(Path('runs') / weighting, config, tuple(epochs))


def make_frame(methods=('GO4Align',), seed=0):
    generator = np.random.default_rng(seed)
    truth = {
        'segmentation': generator.integers(-1, 13, SIZE),
        'depth': generator.uniform(1, 4, (*SIZE, 1)),
        'normal': generator.normal(size=(*SIZE, 3)),
    }
    return {
        'image': generator.uniform(size=(*SIZE, 3)),
        'truth': truth,
        'predictions': {method: dict(truth) for method in methods},
    }


def test_equal_weights_are_neutral_and_groups_grey(tmp_path):
    equal, skewed = tmp_path / 'equal.png', tmp_path / 'skewed.png'
    run = make_run('EW', groups=False)
    for entry in run.epochs:
        entry['weights'].update(dict.fromkeys(run.tasks, 3.0))
    weights_heatmap([run], equal)
    weights_heatmap([make_run()], skewed)
    neutral = (246, 246, 247)  # the middle of PuOr, whatever the common scale of the weights
    assert any(np.abs(np.subtract(colour, neutral)).max() <= 2 for colour in colours_in(equal))
    dark = (38, 38, 38)  # the later group's share of the strips: 0.15
    assert count(skewed, dark) > 1000 > count(equal, dark)


@pytest.mark.parametrize('value', [0.0, 1e-30, math.nan])
def test_heatmap_survives_any_weight(tmp_path, value):
    run = make_run()
    run.epochs[1]['weights']['depth'] = value
    run.epochs[2]['weights'].update(dict.fromkeys(run.tasks, value))
    weights_heatmap([run, make_run('EW', groups=False)], tmp_path / 'weights.png')
    assert [path.name for path in tmp_path.iterdir()] == ['weights.png']


def test_heatmap_of_a_long_run_and_of_a_single_epoch(tmp_path):
    for num_epochs in (1, 200):
        weights_heatmap([make_run(num_epochs=num_epochs)], tmp_path / f'{num_epochs}.png')
        assert Image.open(tmp_path / f'{num_epochs}.png').width == 1500


def test_heatmap_names_the_run_without_weights(tmp_path):
    run = make_run()
    del run.epochs[0]['weights']['depth']
    with pytest.raises(ValueError, match=r'runs.GO4Align.*weights.*depth'):
        weights_heatmap([run], tmp_path / 'weights.png')
    with pytest.raises(ValueError, match='Found none'):
        weights_heatmap([], tmp_path / 'weights.png')


def test_curves_have_a_colour_a_method(tmp_path):
    runs = [make_run('EW'), make_run('EW', seed=1), make_run('UW', seed=3)]
    singles = [make_run(tasks=(task,)) for task in ROOMS.task_names]
    learning_curves([*runs, *singles], tmp_path / 'curves.png')
    colours = colours_in(tmp_path / 'curves.png')
    assert {ORANGE, BLUE} <= colours
    assert GREEN not in colours


def test_curves_of_two_benchmarks_are_refused(tmp_path):
    other = Run(Path('x'), {'benchmark': 'streets', 'tasks': ['depth'], 'weighting': 'EW'}, ())
    with pytest.raises(ValueError, match='Found rooms, streets'):
        learning_curves([make_run(), other], tmp_path / 'curves.png')


def test_grid_shows_class_colours_and_blanks(tmp_path):
    frame = make_frame()
    frame['truth'] = {'segmentation': np.full(SIZE, 4)}
    frame['predictions'] = {'EW': {'segmentation': np.full(SIZE, 7)}}
    predictions_grid([frame], tmp_path / 'grid.png', ROOMS)
    palette = list(get_benchmark('rooms').palette)
    colours = colours_in(tmp_path / 'grid.png')
    assert {palette[4], palette[7]} <= colours
    assert palette[2] not in colours

    frame['truth'] = {'depth': np.zeros(SIZE)}
    frame['predictions'] = {}
    frame['image'] = np.zeros((*SIZE, 3), np.uint8)
    predictions_grid([frame], tmp_path / 'grid.png', ROOMS)
    picture = pixels(tmp_path / 'grid.png')
    row = picture[len(picture) // 2]
    assert (row == 0).all(axis=1).sum() > 500  # the image is black
    truth = row[np.flatnonzero((row == 0).all(axis=1)).max() + 100 :][:400]
    assert (truth == 255).all()  # depth without any measurement is blank


def test_grid_of_several_methods_and_frames(tmp_path):
    rows = [make_frame(('STL', 'EW', 'GO4Align'), seed) for seed in range(2)]
    del rows[0]['predictions']['STL']['normal']
    with pytest.raises(ValueError, match=r'rows\[1\]'):
        predictions_grid(rows, tmp_path / 'grid.png', ROOMS)
    rows[1]['predictions']['STL'] = rows[0]['predictions']['STL']
    predictions_grid(rows, tmp_path / 'grid.png', ROOMS)
    assert Image.open(tmp_path / 'grid.png').width == 1800


@pytest.mark.parametrize(
    ('task', 'array', 'message'),
    [
        ('depth', np.ones((3, 4)), r'depth of shape \(12, 16\). Found \(3, 4\) in EW'),
        ('normal', np.ones(SIZE), r'normal of shape \(12, 16, 3\)'),
        ('segmentation', np.full(SIZE, 13), 'classes from -1 to 12. Found 13 to 13 in EW'),
    ],
)
def test_grid_names_a_bad_array(tmp_path, task, array, message):
    frame = make_frame()
    frame['predictions'] = {'EW': {task: array}}
    with pytest.raises(ValueError, match=message):
        predictions_grid([frame], tmp_path / 'grid.png', ROOMS)


def test_absent_matplotlib_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(ImportError, match=r'go4align-plugins\[libmtl\]'):
        weights_heatmap([make_run()], tmp_path / 'weights.png')


def test_command_names_the_bad_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    tool = importlib.import_module('plot')
    with pytest.raises(SystemExit) as stop:
        tool.main(['curves', str(tmp_path / 'nowhere'), '--out', str(tmp_path / 'x.png')])
    assert stop.value.code == 2
    assert 'nowhere' in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_named():
    lines = ({'weights': {'depth': {}}}, {'weights': {'depth': 1.0}})
    with pytest.raises(ValueError, match='run-a should hold the weights of every task'):
        Run(Path('run-a'), {'tasks': ['depth']}, lines).relative_weights()
