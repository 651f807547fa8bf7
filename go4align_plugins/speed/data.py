"""The sub-command ``data``: reading and augmenting frames, and what a training waits for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from go4align_plugins.speed.checkout import add_checkout_option, import_example
from go4align_plugins.speed.contests import Contest, add_contest_options, publish
from go4align_plugins.speed.hardware import use_threads

NUMPY, OURS, EXAMPLE, MMSEG = 'plain numpy', 'LibMTL side', "LibMTL's example", 'MMSegmentation'
STEPS = 20

DESCRIPTION = """\
Times reading frames in MTAN's layout, as they are and with zoom and flip: plain numpy.load of the
files, this package's loaders for LibMTL and for MMSegmentation, and LibMTL's example (--libmtl).
Measures what share of a training step of the small SegNet waits for data, without and with worker
processes. Without --data, rendered rooms are written for it."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``data``."""
    parser = subparsers.add_parser(
        'data',
        help='reading and augmenting frames; the share of a step that waits for data',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('--data', type=Path, help="a folder in MTAN's layout of NYUv2 (rendered rooms)")
    add('--frames', type=int, default=24, help='of the train split (24)')
    add('--workers', nargs='+', type=int, default=[0, 1], help='of the training (0 1)')
    add_checkout_option(parser)
    add_contest_options(parser, 'data', 10)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Time, print, draw and write.

    Raises:
        ValueError: if an option is out of its range.
        ImportError: if a framework is not installed.
    """
    from go4align_plugins.benchmarks.embedded import render_dataset

    use_threads(options.threads)
    with TemporaryDirectory() as folder:
        root, benchmark = options.data, 'nyuv2'
        if root is None:
            root, benchmark = Path(folder), 'rooms'
            render_dataset(benchmark, root, num_frames={'train': options.frames, 'val': 1})
        contests = [
            Contest(title, NUMPY, turns, options.frames)
            for title, turns in reading_turns(root, benchmark, options).items()
        ]
        shares = {
            workers: waiting_share(root, benchmark, workers, STEPS) for workers in options.workers
        }
        notes = [
            f'{share:.1%} of a training step of the small SegNet (batch 4, zoom and flip) waits '
            f'for data with {workers} worker(s); {STEPS} steps.'
            for workers, share in shares.items()
        ]
        return publish(
            options, contests, 'frame', notes, ('torch', 'numpy', 'LibMTL'), waiting=shares
        )


def reading_turns(
    root: Path, benchmark: str, options: argparse.Namespace
) -> dict[str, dict[str, Callable[[], object]]]:
    """What reads all frames once, as they are and augmented."""
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.benchmarks.layouts import FrameFolder
    from go4align_plugins.libmtl.data import DenseFrames

    folder = FrameFolder(root, get_benchmark(benchmark), 'train')
    count = min(options.frames, len(folder))
    example = import_example(options.libmtl, 'create_dataset')
    turns: dict[str, dict[str, Callable[[], object]]] = {}
    for title, augmented in (('reading', False), ('reading, zoom and flip', True)):
        readers: dict[str, Any] = {
            NUMPY: _PlainNumpy(root),
            OURS: DenseFrames(folder, augmented),
            MMSEG: _build_mmseg(root, benchmark, augmented),
        }
        if example is not None:
            readers[EXAMPLE] = example.NYUv2(str(root), 'train', augmented)
        turns[title] = {
            name: _read_all(reader, count) for name, reader in readers.items() if reader is not None
        }
    return turns


class _PlainNumpy:
    """The files of a frame, read and nothing else: no loader can be faster by much."""

    def __init__(self, root: Path) -> None:
        self.folders = [root / 'train' / name for name in ('image', 'label', 'depth', 'normal')]

    def __getitem__(self, index: int) -> object:
        import numpy as np

        return [np.load(folder / f'{index}.npy') for folder in self.folders]


def _read_all(reader: Any, count: int) -> Callable[[], object]:
    def read() -> None:
        for index in range(count):
            reader[index]

    return read


def _build_mmseg(root: Path, benchmark: str, augmented: bool) -> Any:
    """Mmseg's data set with its pipeline; None where MMSegmentation is not installed."""
    try:
        import go4align_plugins.mmengine
        import go4align_plugins.mmseg  # noqa: F401
    except ImportError:
        return None
    from mmengine.registry import DefaultScope
    from mmseg.registry import DATASETS

    zoom = [{'type': 'MTLScaleCrop'}, {'type': 'MTLRandomFlip', 'prob': 0.5}]
    pipeline = [{'type': 'LoadMTLFrame'}, *(zoom if augmented else []), {'type': 'PackMTLInputs'}]
    config = {
        'type': 'MTLNYUv2Dataset', 'data_root': str(root), 'benchmark': benchmark,
        'split': 'train', 'pipeline': pipeline,
    }  # fmt: skip
    with DefaultScope.overwrite_default_scope('mmseg'):
        return DATASETS.build(config)


def waiting_share(root: Path, benchmark: str, workers: int, steps: int) -> float:
    """The share of the time of training steps in which the next, augmented batch is waited for.

    Args:
        root: of the data.
        benchmark: that the data is of.
        workers: processes that read; 0 reads in the training process.
        steps: how many are measured; epochs begin anew as often as needed.
    """
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.leaderboard.analyse.workloads import build_workload
    from go4align_plugins.libmtl.data import build_loaders

    loaders = build_loaders(
        get_benchmark(benchmark), root, batch_size=4, augmented=True, workers=workers
    )
    step = build_workload(3).prepare('GO4Align')
    step()
    waiting = training = 0.0
    batches = iter(loaders.train)
    next(batches)  # the workers' start is an epoch's, not a step's
    for _ in range(steps):
        before = perf_counter()
        try:
            next(batches)
        except StopIteration:
            batches = iter(loaders.train)
            next(batches)
            continue
        between = perf_counter()
        step()
        waiting += between - before
        training += perf_counter() - between
    return waiting / (waiting + training)
