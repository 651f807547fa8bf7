"""Weighting steps beside the published way and TorchJD, and their memory."""

from __future__ import annotations

import argparse
import json
import tempfile
import tracemalloc
from collections.abc import Callable
from itertools import accumulate, cycle
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import profile

from benchmarks.published import PublishedStep
from benchmarks.timing import Comparison, compare, judge
from go4align_plugins import GO4Align

STEP_GOALS = {(3, 2): 1 / 8, (40, 5): 1 / 8, (1000, 2): 1, (1000, 5): 1, (10_000, 8): 1}
"""Tasks and groups -> the largest ratio of GO4Align's time to the published way's."""
TORCHJD_GOALS = {('UW', 3, 2): 1.25, ('FAMO', 40, 5): 1.0}
"""TorchJD's method, tasks and groups -> the largest ratio of GO4Align's time to its time."""
MEMORY_GOAL = 100
"""Megabytes, of 10,000 tasks."""
NUM_BATCHES = 16


def step(options: argparse.Namespace) -> str:
    """Time the step from losses to weights, beside the published way."""
    comparisons = []
    for (num_tasks, num_groups), goal in STEP_GOALS.items():
        batches = random_losses(num_tasks, options.device)
        turns = {
            'published way': on_each(batches, PublishedStep(num_tasks, num_groups, options.device)),
            'GO4Align': on_each(batches, GO4Align(num_tasks, num_groups).to(options.device)),
        }
        title = f'step, {num_tasks} tasks, {num_groups} groups'
        comparisons.append(Comparison(title, turns, {'GO4Align': goal}))
    return compare(comparisons, options)


def torchjd(options: argparse.Namespace) -> str:
    """Time forward and backward of the weighted sum, beside TorchJD's, with FAMO's update."""
    return compare([_beside_torchjd(*key, options.device) for key in TORCHJD_GOALS], options)


def _beside_torchjd(peer: str, num_tasks: int, num_groups: int, device: str) -> Comparison:
    from torchjd import scalarization

    weighting = GO4Align(num_tasks, num_groups).to(device)
    scalarizer = getattr(scalarization, peer)(num_tasks).to(device)
    parameters = list(scalarizer.parameters())

    def theirs(losses: Tensor) -> None:
        for tensor in (losses, *parameters):  # as an optimizer's `zero_grad` does
            tensor.grad = None
        scalarizer(losses).backward()
        if peer == 'FAMO':
            scalarizer.update(losses.detach())

    def ours(losses: Tensor) -> None:
        losses.grad = None
        (weighting(losses) * losses).sum().backward()

    batches = random_losses(num_tasks, device)
    return Comparison(
        f'forward and backward, {num_tasks} tasks, {num_groups} groups',
        {f"TorchJD's {peer}": on_each(batches, theirs), 'GO4Align': on_each(batches, ours)},
        {'GO4Align': TORCHJD_GOALS[peer, num_tasks, num_groups]},
    )


def memory(options: argparse.Namespace) -> str:
    """Measure the peak memory of a step with 10,000 tasks on the CPU."""
    lines = ['| work | peak memory | goal |', '|---|---:|---|']
    for num_groups in (2, 8):
        step = on_each(random_losses(10_000), GO4Align(10_000, num_groups))
        megabytes = peak_memory(step) / 1e6
        goal = judge(megabytes, MEMORY_GOAL, ' MB')
        lines.append(f'| step, 10000 tasks, {num_groups} groups | {megabytes:.1f} MB | {goal} |')
    return '\n'.join(lines) + '\n'


def peak_memory(step: Callable[[], object]) -> int:
    """Bytes that a step holds at most: the peak of Python and numpy plus the one of torch."""
    step()  # its imports and first allocations are not counted
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with profile(profile_memory=True) as profiler:
        step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'trace.json')
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding='utf-8'))['traceEvents']
    changes = sorted(
        (event['ts'], event['args']['Bytes']) for event in events if event.get('name') == '[memory]'
    )
    return peak + max(accumulate((change for _, change in changes), initial=0))


def random_losses(num_tasks: int, device: str = 'cpu') -> list[Tensor]:
    """Draw losses (M,) of several scales, which need gradients."""
    generator = torch.Generator().manual_seed(num_tasks)
    losses = torch.randn(NUM_BATCHES, num_tasks, generator=generator).exp()
    return [batch.to(device).requires_grad_() for batch in losses]


def on_each(batches: list[Tensor], step: Callable[[Tensor], object]) -> Callable[[], object]:
    """Make a function that takes a step on the next batch, over and over."""
    endless = cycle(batches)
    return lambda: step(next(endless))
