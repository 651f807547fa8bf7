"""Run folders of made-up figures, whose scores can be worked out by hand."""

import json

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import load_run

STREETS = get_benchmark('streets')
TASKS = ['segmentation', 'depth']
SINGLE = {'mIoU': 0.5, 'pixAcc': 0.8, 'abs_err': 0.02, 'rel_err': 20.0}
# Relative losses against SINGLE: -0.2, 0.1, -0.5, 0.5, so delta_m is -2.5 %.
MULTI = {'mIoU': 0.6, 'pixAcc': 0.72, 'abs_err': 0.01, 'rel_err': 30.0}


def entry(epoch, values, tasks=TASKS, seconds=2.0):
    metrics = {
        task: {metric.name: values[metric.name] for metric in STREETS.task(task).metrics}
        for task in tasks
    }
    part = {'loss': dict.fromkeys(tasks, 1.0), 'metrics': metrics}
    return {
        'epoch': epoch, 'train': part, 'test': part, 'weights': dict.fromkeys(tasks, 1.0),
        'groups': {}, 'seconds': {'train': seconds, 'test': 0.1},
    }  # fmt: skip


def options_of(tasks=TASKS, epochs=3, **options):
    return {
        'framework': 'libmtl', 'benchmark': 'streets', 'tasks': tasks, 'weighting': 'EW',
        'weight_args': {}, 'protocol': 'small', 'arch': 'HPS', 'backbone': 'segnet-small',
        'epochs': epochs, 'batch_size': 8, 'seed': 0, 'num_frames': {'train': 6, 'val': 2},
        **options,
    }  # fmt: skip


def write_run(folder, values=MULTI, tasks=TASKS, epochs=3, seconds=2.0, **options):
    folder.mkdir()
    (folder / 'config.json').write_text(json.dumps(options_of(tasks, epochs, **options)))
    lines = [json.dumps(entry(epoch, values, tasks, seconds)) for epoch in range(epochs)]
    (folder / 'metrics.jsonl').write_text('\n'.join(lines) + '\n')
    return folder


def scaled(factor):
    return {name: factor * value for name, value in MULTI.items()}


def make(folder, name, *args, **options):
    return load_run(write_run(folder / name, *args, **options))


def make_singles(folder):
    return [make(folder, f'stl-{task}', SINGLE, [task], seconds=1.5) for task in TASKS]
