"""Training with LibMTL: iterations, reading of data and metrics, each beside its like."""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Comparison, compare
from go4align_plugins.data import get_benchmark
from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.leaderboard.analyse.workloads import (
    build_workload,
    perceptron_workload,
    random_labels,
)
from go4align_plugins.libmtl.data import build_loaders
from go4align_plugins.libmtl.models import TaskMetric

NUM_FRAMES, NUM_STEPS = 24, 20
PARTS = ('image', 'label', 'depth', 'normal')
BATCH_SIZE, NUM_BATCHES = 4, 5
TOLERANCE = 1e-3
"""Relative, of a score: LibMTL adds in float32, and takes means of batches."""


def iteration(options: argparse.Namespace) -> str:
    """Time forward pass, weighting, backward pass and optimizer, beside equal weighting."""
    faces = get_benchmark('celeba')
    few = replace(faces, tasks=faces.tasks[:3])
    works = {
        "iteration, the demo's SegNet, 3 tasks": (build_workload(3), 1.005),
        'iteration, perceptron, 40 tasks': (perceptron_workload(faces), 1.05),
        'iteration, perceptron, 3 tasks': (perceptron_workload(few), 1.15),
    }
    comparisons = []
    for title, (workload, goal) in works.items():
        names = dict.fromkeys(('EW', *options.methods))
        methods: dict[str, Callable[[], object]] = {name: workload.prepare(name) for name in names}
        comparisons.append(Comparison(title, methods, {'GO4Align': goal}))
    return compare(comparisons, options, turn_seconds=0.05)


def data(options: argparse.Namespace) -> str:
    """Time reading frames of 96 x 128, as they are and with zoom and flip, beside numpy."""
    comparisons = []
    with TemporaryDirectory() as folder:
        root = Path(folder)
        render_dataset('rooms', root, num_frames={'train': NUM_FRAMES, 'val': 1})
        paths = [[root / 'train' / part / f'{i}.npy' for part in PARTS] for i in range(NUM_FRAMES)]
        for augmented in (False, True):
            loaders = build_loaders(
                get_benchmark('rooms'), root, batch_size=4, augmented=augmented, workers=0
            )
            methods: dict[str, Callable[[], object]] = {
                'numpy.load': lambda: [[np.load(path) for path in frame] for frame in paths],
                'this package': reader(loaders.train.dataset),
            }
            if options.libmtl is not None:
                example = runpy.run_path(str(options.libmtl / 'examples/nyu/create_dataset.py'))
                methods["LibMTL's example"] = reader(example['NYUv2'](folder, 'train', augmented))
            title = f'reading a frame{", zoom and flip" if augmented else ""}'
            comparisons.append(Comparison(title, methods, amount=NUM_FRAMES))
        share = f'{waiting_share(loaders.train):.1%} of a training step waits for data.'
        return f'{compare(comparisons, options)}\nWith zoom and flip, {share}\n'


def reader(frames: Any) -> Callable[[], object]:
    """Make a function that reads all frames."""
    return lambda: [frames[index] for index in range(NUM_FRAMES)]


def waiting_share(loader: Iterable[object]) -> float:
    """Measure the share of time in which training steps of the small SegNet wait for batches."""
    step = build_workload(3).prepare('GO4Align')
    step()
    batches = chain.from_iterable(repeat(loader))
    waiting, begin = 0.0, perf_counter()
    for _ in range(NUM_STEPS):
        before = perf_counter()
        next(batches)
        waiting += perf_counter() - before
        step()
    return waiting / (perf_counter() - begin)


def metrics(options: argparse.Namespace) -> str:
    """Time metrics and scores of frames of 288 x 384, beside LibMTL's NYUv2 example.

    Raises:
        ValueError: if scores differ.
    """
    nyuv2 = get_benchmark('nyuv2')
    example = runpy.run_path(str(options.libmtl / 'examples/nyu/utils.py'))
    names = {'segmentation': 'SegMetric', 'depth': 'DepthMetric', 'normal': 'NormalMetric'}
    comparisons = []
    for task in nyuv2.tasks:
        torch.manual_seed(0)
        target = random_labels(task, nyuv2.image_size, BATCH_SIZE)
        prediction = torch.rand(BATCH_SIZE, task.channels, *target.shape[-2:]) + 0.1
        arguments = [task.channels] if task.name == 'segmentation' else []
        methods: dict[str, Callable[[], list[float]]] = {
            "LibMTL's example": partial(
                evaluate, example[names[task.name]](*arguments), prediction, target
            ),
            'this package': partial(evaluate, TaskMetric(task), prediction, target),
        }
        expected, found = (method() for method in methods.values())
        if not all(isclose(*pair, rel_tol=TOLERANCE) for pair in zip(expected, found)):
            raise ValueError(f'Scores of {task.name} should be {expected}. Found `{found}`.')
        title = f'metrics of a frame, {task.name}'
        comparisons.append(Comparison(title, methods, amount=BATCH_SIZE * NUM_BATCHES))
    return compare(comparisons, options)


def evaluate(metric: Any, prediction: Tensor, target: Tensor) -> list[float]:
    """Compute the scores of several batches by a metric in LibMTL's form."""
    metric.reinit()
    for _ in range(NUM_BATCHES):
        metric.update_fun(prediction, target)
    return [float(score) for score in metric.score_fun()]
