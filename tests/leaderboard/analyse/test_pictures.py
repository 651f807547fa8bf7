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
            'test': {'metrics': {task: dict.fromkeys(NAMES[task], value) for task in tasks}},
            'weights': {task: 10.0**index for index, task in enumerate(tasks)},
            'groups': {task: [1 - late, late] for task in tasks} if groups else {},
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
    predictions = {method: dict(truth) for method in methods}
    return {'image': generator.uniform(size=(*SIZE, 3)), 'truth': truth, 'predictions': predictions}


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


def test_heatmap_survives_any_weight_and_any_length(tmp_path):
    odd = make_run()
    for entry, value in zip(odd.epochs, (0.0, 1e-30, math.nan)):
        entry['weights'].update(dict.fromkeys(odd.tasks[1:], value))
    odd.epochs[3]['weights'].update(dict.fromkeys(odd.tasks, 0.0))
    runs = [odd, make_run('EW', groups=False, num_epochs=200)]
    for name, drawn in (('odd', runs), ('short', [make_run(num_epochs=1)])):
        weights_heatmap(drawn, tmp_path / f'{name}.png')
        assert Image.open(tmp_path / f'{name}.png').width == 1500


def test_runs_that_cannot_be_drawn_are_named(tmp_path, monkeypatch):
    path, run, rule = tmp_path / 'x.png', make_run(), 'GO4Align should hold the weights of every'
    run.epochs[0]['weights']['depth'] = {}
    with pytest.raises(ValueError, match=rule):
        weights_heatmap([run], path)
    del run.epochs[0]['weights']['depth']
    with pytest.raises(ValueError, match=rf'{rule}.*depth'):
        weights_heatmap([run], path)
    with pytest.raises(ValueError, match='Found none'):
        weights_heatmap([], path)
    other = Run(Path('x'), {'benchmark': 'streets', 'tasks': ['depth'], 'weighting': 'EW'}, ())
    with pytest.raises(ValueError, match='Found rooms, streets'):
        learning_curves([run, other], path)
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(ImportError, match=r'go4align-plugins\[libmtl\]'):
        weights_heatmap([make_run()], path)


def test_curves_have_a_colour_a_method(tmp_path):
    runs = [make_run('EW'), make_run('EW', seed=1), make_run('UW', seed=3)]
    runs += [make_run(tasks=(task,)) for task in ROOMS.task_names]
    learning_curves(runs, tmp_path / 'curves.png')
    colours = colours_in(tmp_path / 'curves.png')
    assert {ORANGE, BLUE} <= colours
    assert GREEN not in colours


def test_grid_shows_class_colours_and_blanks(tmp_path):
    frame, path = make_frame(), tmp_path / 'grid.png'
    frame['truth'] = {'segmentation': np.full(SIZE, 4)}
    frame['predictions'] = {'EW': {'segmentation': np.full(SIZE, 7)}}
    predictions_grid([frame], path, ROOMS)
    palette = [tuple(colour) for colour in [*map(list, get_benchmark('rooms').palette)]]
    assert {palette[4], palette[7]} <= colours_in(path)
    assert palette[2] not in colours_in(path)
    black = {'image': np.zeros((*SIZE, 3), np.uint8), 'predictions': {}}
    predictions_grid([{**black, 'truth': {'depth': np.zeros(SIZE)}}], path, ROOMS)
    picture = pixels(path)
    row = picture[len(picture) // 2]
    dark = np.flatnonzero((row == 0).all(axis=1))
    assert len(dark) > 500  # the image
    assert (row[dark.max() + 100 :][:400] == 255).all()  # depth without any measurement is blank


def test_grid_of_several_methods_and_frames(tmp_path):
    rows = [make_frame(('STL', 'EW', 'GO4Align'), seed) for seed in range(2)]
    normals = rows[0]['predictions']['STL'].pop('normal')
    with pytest.raises(ValueError, match=r'rows\[1\]'):
        predictions_grid(rows, tmp_path / 'grid.png', ROOMS)
    rows[0]['predictions']['STL']['normal'] = normals
    predictions_grid(rows, tmp_path / 'grid.png', ROOMS)
    assert Image.open(tmp_path / 'grid.png').width == 1800
    for task, array, message in (
        ('depth', np.ones((3, 4)), r'depth of shape \(12, 16\). Found \(3, 4\) in EW'),
        ('normal', np.ones(SIZE), r'normal of shape \(12, 16, 3\)'),
        ('segmentation', np.full(SIZE, 13), 'classes from -1 to 12. Found 13 to 13 in EW'),
    ):
        with pytest.raises(ValueError, match=message):
            predictions_grid([{**make_frame(), 'predictions': {'EW': {task: array}}}], 'x', ROOMS)


def test_command_names_the_bad_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    with pytest.raises(SystemExit, match='2'):
        importlib.import_module('plot').main(['curves', str(tmp_path / 'nowhere'), '--out', 'x'])
    assert 'nowhere' in capsys.readouterr().err
