"""Stores of made-up figures, whose scores can be worked out by hand."""

from pathlib import Path

from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store

from .run_folders import MULTI, SINGLE, TASKS, entry, options_of

BEFORE = Path(__file__).with_name('board_before')
"""A leaderboard of release 0.1.0: STL, EW and GO4Align after one epoch, and its report."""


def make_entry(spec, values=MULTI, seed=0, task=None, seconds=2.0, epochs=3, **options):
    tasks = TASKS if task is None else [task]
    name, _, arguments = spec.partition(':')
    arguments = dict(pair.split('=') for pair in arguments.split(',') if pair)
    own = {'weighting': 'EW' if task else name, 'weight_args': arguments, 'seed': seed}
    config = options_of(tasks, epochs, **{**own, **options})
    lines = tuple(entry(epoch, values, tasks, seconds) for epoch in range(epochs))
    return Entry(f'{spec}-{task}-{seed}', spec, task, seed, 'finished', config=config, epochs=lines)


def failed(spec, reason='out of memory', seed=0):
    return Entry(f'{spec}-None-{seed}', spec, None, seed, 'failed', reason, f'logs/{spec}.log')


def singles():
    return [make_entry('STL', SINGLE, task=task) for task in TASKS]


def write_store(folder, entries):
    store = Store(folder / RESULTS)
    for each in entries:
        store.append(each)
    return folder
