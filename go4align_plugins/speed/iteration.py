"""The sub-command ``iteration``: training iterations of both frameworks."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from go4align_plugins.speed.contests import Contest

METHODS = ('EW', 'GO4Align', 'UW', 'DWA', 'FAMO', 'CAGrad', 'PCGrad')
COUNTS = (2, 3, 11, 40)
FRAMEWORKS = ('libmtl', 'mmseg')
TURN_SECONDS = 0.05
"""About how long a method's turn is."""

DESCRIPTION = """\
Times training iterations (forward, weighting, backward, optimizer) of methods side by side, in
turns of a twentieth of a second, and compares them with equal weighting: in LibMTL the small SegNet
at 96 x 128 with three tasks, and a small multilayer perceptron with 2, 3, 11 and 40 tasks, in which
the weighting weighs most; in MMSegmentation the small SegNet. Data is random; nothing is read."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``iteration``."""
    from go4align_plugins.speed.contests import add_contest_options

    parser = subparsers.add_parser(
        'iteration',
        help='training iterations of LibMTL and MMSegmentation',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('--frameworks', nargs='+', choices=FRAMEWORKS, default=FRAMEWORKS, help='(both)')
    add('--methods', nargs='+', help=f'(those of {", ".join(METHODS)} that LibMTL has)')
    add('--tasks', nargs='*', type=int, default=COUNTS, help='of the perceptron (2 3 11 40)')
    add_contest_options(parser, 'iteration', 50)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Time, print, draw and write.

    Raises:
        ValueError: if an option is out of its range.
        ImportError: if a framework is not installed.
    """
    from go4align_plugins.libmtl.compat import import_libmtl
    from go4align_plugins.speed.contests import publish
    from go4align_plugins.speed.hardware import use_threads

    use_threads(options.threads)
    offered = import_libmtl().weighting.__all__
    chosen = options.methods or [name for name in METHODS if name in offered]
    methods = list(dict.fromkeys((METHODS[0], *chosen)))
    contests: list[Contest] = []
    if 'libmtl' in options.frameworks:
        contests += libmtl_contests(methods, options.tasks)
    if 'mmseg' in options.frameworks:
        contests.append(mmseg_contest(methods))
    packages = ('torch', 'LibMTL', 'mmengine', 'mmsegmentation')
    return publish(options, contests, 'iteration', packages=packages)


def libmtl_contests(methods: Sequence[str], counts: Sequence[int]) -> list[Contest]:
    """LibMTL's iterations: the small SegNet, and a perceptron with each number of tasks."""
    from go4align_plugins.leaderboard.analyse.workloads import build_workload, perceptron_workload

    workloads = {'LibMTL, small SegNet, 3 tasks': build_workload(3)}
    for count in counts:
        workloads[f'LibMTL, perceptron, {count} tasks'] = perceptron_workload(count)
    return [_contest(title, methods, load.prepare) for title, load in workloads.items()]


def mmseg_contest(methods: Sequence[str], batch_size: int = 4) -> Contest:
    """MMSegmentation's iterations: the committed config of the small SegNet, on random frames."""
    return _contest(
        'MMSegmentation, small SegNet, 3 tasks',
        methods,
        lambda method: mmseg_iteration(method, batch_size),
    )


def mmseg_iteration(method: str, batch_size: int = 4) -> Callable[..., None]:
    """A function that takes iterations in MMSegmentation, one by default.

    Args:
        method: its name.
        batch_size: frames of 96 x 128.

    Raises:
        ValueError: if there is no such method.
        ImportError: if MMSegmentation is not installed.
    """
    from go4align_plugins.leaderboard.run.mmseg_config import build_config
    from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan

    plan = Plan('mmseg', 'rooms', (Method(method),))
    config = build_config(plan, Cell(plan.methods[0], 0))

    import torch
    from mmengine.model import BaseModel
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS, TRANSFORMS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model: BaseModel = MODELS.build(config.model)
        pack = TRANSFORMS.build({'type': 'PackMTLInputs'})
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    wrapper.initialize_count_status(model, 0, 10**6)
    model.train()
    frames = [pack(_random_frame(seed)) for seed in range(batch_size)]

    def iterate(count: int = 1) -> None:
        for _ in range(count):
            # The preprocessor changes the samples that it is given.
            samples = [frame['data_samples'].new() for frame in frames]
            batch = {'inputs': [frame['inputs'] for frame in frames], 'data_samples': samples}
            model.train_step(batch, wrapper)

    return iterate


def _random_frame(seed: int) -> dict[str, Any]:
    """What a pipeline has of a frame before it is packed."""
    import numpy as np

    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(96, 128, 3)).astype(np.float32)
    return {
        'img': rng.uniform(0, 255, (96, 128, 3)).astype(np.float32),
        'img_shape': (96, 128),
        'ori_shape': (96, 128),
        'gt_seg_map': rng.integers(0, 13, (96, 128), np.uint8),
        'gt_depth_map': rng.uniform(1, 9, (96, 128)).astype(np.float32),
        'gt_normal_map': normal / np.linalg.norm(normal, axis=-1, keepdims=True),
        'seg_fields': ['gt_seg_map', 'gt_depth_map', 'gt_normal_map'],
    }


def _contest(
    title: str, methods: Sequence[str], prepare: Callable[[str], Callable[..., None]]
) -> Contest:
    from go4align_plugins.speed.contests import Contest
    from go4align_plugins.speed.rounds import explain_failure, turn_length

    turns, failures = {}, {}
    for method in methods:
        try:
            turns[method] = prepare(method)
        except Exception as error:  # whatever a strategy may raise
            if method == METHODS[0]:
                raise
            failures[method] = explain_failure(error)
    length = turn_length(turns[METHODS[0]], TURN_SECONDS)
    several = {method: partial(turn, length) for method, turn in turns.items()}
    return Contest(title, METHODS[0], several, length, failures)
