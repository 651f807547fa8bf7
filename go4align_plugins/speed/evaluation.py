"""The sub-command ``metrics``: evaluation beside LibMTL's example."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from go4align_plugins.speed.checkout import add_checkout_option, import_example
from go4align_plugins.speed.contests import Contest, add_contest_options, publish
from go4align_plugins.speed.hardware import use_threads

if TYPE_CHECKING:
    from torch import Tensor

OURS, EXAMPLE = 'this package', "LibMTL's example"
CLASSES = {'segmentation': 'SegMetric', 'depth': 'DepthMetric', 'normal': 'NormalMetric'}
TOLERANCE = 1e-3
"""Of a score: LibMTL's means of batches and float32 sums are off in the fourth digit."""

DESCRIPTION = """\
Times the metrics of each task on random predictions: all batches, then the scores; and compares the
scores with those of LibMTL's NYUv2 example, whose code is in its repository alone (--libmtl)."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``metrics``."""
    parser = subparsers.add_parser(
        'metrics',
        help="evaluation, beside LibMTL's example",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('--frames', type=int, default=100, help='(100)')
    add('--batch-size', type=int, default=4, help='(4)')
    add('--size', nargs=2, type=int, default=(288, 384), metavar=('H', 'W'), help='(288 384)')
    add_checkout_option(parser)
    add_contest_options(parser, 'metrics', 5)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Time, compare, print, draw and write; 1 if scores differ.

    Raises:
        ValueError: if an option is out of its range.
        ImportError: if LibMTL is not installed.
    """
    if min(options.frames, options.batch_size, *options.size) < 1:
        raise ValueError('Parameters `frames`, `batch_size` and `size` should be at least 1.')
    use_threads(options.threads)
    example = import_example(options.libmtl, 'utils')
    batches = random_batches(options.frames, options.batch_size, tuple(options.size))
    contests, notes, differing = [], [], False
    for task in CLASSES:
        metrics = build_metrics(task, example)
        contests.append(
            Contest(
                f'{task}, {options.size[0]} x {options.size[1]}',
                next(iter(metrics)),
                {name: Evaluation(metric, batches[task]) for name, metric in metrics.items()},
                options.frames,
            )
        )
        scores = {name: Evaluation(metric, batches[task])() for name, metric in metrics.items()}
        if EXAMPLE in scores:
            pairs = zip(scores[OURS], scores[EXAMPLE])
            worst = max(abs(ours - theirs) / max(abs(theirs), 1e-12) for ours, theirs in pairs)
            notes.append(f'{task}: scores differ by at most {worst:.1e} of their value.')
            differing |= worst > TOLERANCE
    status = publish(options, contests, 'frame', notes, ('torch', 'LibMTL'))
    return 1 if differing else status


class Evaluation:
    """A metric over all batches, from nothing to the scores.

    Args:
        metric: in LibMTL's form.
        batches: predictions and targets.
    """

    def __init__(self, metric: Any, batches: list[tuple[Tensor, Tensor]]) -> None:
        self.metric = metric
        self.batches = batches

    def __call__(self) -> list[float]:
        """The scores."""
        self.metric.reinit()
        for prediction, target in self.batches:
            self.metric.update_fun(prediction, target)
        return [float(score) for score in self.metric.score_fun()]


def build_metrics(task: str, example: Any) -> dict[str, Any]:
    """The metrics of a task in LibMTL's form: the example's, if it is there, and this package's."""
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.libmtl.tasks import TaskMetric

    benchmark = get_benchmark('nyuv2')
    metrics: dict[str, Any] = {}
    if example is not None:
        classes = [benchmark.task(task).channels] if task == 'segmentation' else []
        metrics[EXAMPLE] = getattr(example, CLASSES[task])(*classes)
    return {**metrics, OURS: TaskMetric(benchmark.task(task))}


def random_batches(
    num_frames: int, batch_size: int, size: tuple[int, int]
) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Predictions and targets of each task; a tenth of the pixels has no label."""
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(0)
    batches: dict[str, list[tuple[Tensor, Tensor]]] = {task: [] for task in CLASSES}
    for start in range(0, num_frames, batch_size):
        count = min(batch_size, num_frames - start)
        known = torch.rand(count, 1, *size, generator=generator) > 0.1
        label = torch.randint(13, (count, *size), generator=generator).float()
        depth = torch.rand(count, 1, *size, generator=generator) * 9 + 1
        normal = F.normalize(torch.randn(count, 3, *size, generator=generator))
        noise = torch.randn(count, 17, *size, generator=generator)
        logits = noise[:, :13] + 2 * F.one_hot(label.long(), 13).movedim(-1, 1)
        batches['segmentation'].append((logits, label.where(known[:, 0], torch.tensor(-1.0))))
        batches['depth'].append((depth + 0.3 * noise[:, 13:14], depth * known))
        batches['normal'].append((normal + 0.3 * noise[:, 14:17], normal * known))
    return batches
