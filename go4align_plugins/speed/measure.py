"""Time, memory and host synchronisations of weighting steps."""

from __future__ import annotations

import os
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import accumulate, cycle
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, thread_time
from typing import Any

import torch
from torch import Tensor
from torch.profiler import profile

from go4align_plugins.speed.methods import (
    METHODS,
    OURS,
    Weigh,
    build_method,
    is_feasible,
)
from go4align_plugins.speed.rounds import repeat, time_in_rounds, turn_length
from go4align_plugins.weighting.kmeans import DENSE_LIMIT

FORWARD, BACKWARD = 'weights', 'weights and backward'
PASSES = (FORWARD, BACKWARD)
CLOCKS = {'wall': perf_counter, 'cpu': thread_time}
TURN_SECONDS = 0.01
"""About how long a method's turn is."""
NUM_BATCHES = 16

Cell = tuple[int, int, str, str]  # tasks, groups, pass, method


@dataclass(frozen=True)
class Measure:
    """A method's steps.

    Attributes:
        num_tasks: M.
        num_groups: K.
        scope: one of ``PASSES``.
        method: its name.
        seconds: of a step, one a round.
        ratios: of ``seconds`` to the default's in the same round.
        memory: the most bytes that a step holds at a time.
        host_waits: how often a step makes the host wait for a GPU; None on a CPU.
    """

    num_tasks: int
    num_groups: int
    scope: str
    method: str
    seconds: tuple[float, ...]
    ratios: tuple[float, ...]
    memory: int
    host_waits: int | None

    def record(self) -> dict[str, Any]:
        """All of it, with medians and quartiles, as plain values."""
        ratios = self.ratios * 2 if len(self.ratios) == 1 else self.ratios
        summary = {
            'median_seconds': median(self.seconds),
            'median_ratio': median(self.ratios),
            'ratio_quartiles': quantiles(ratios, n=4, method='inclusive')[::2],
        }
        return {**summary, **asdict(self)}


def measure(
    tasks: Sequence[int],
    groups: Sequence[int],
    methods: Sequence[str] | None,
    rounds: int,
    device: torch.device,
    clock: str = 'wall',
) -> list[Measure]:
    """Measure all methods side by side.

    Args:
        tasks: numbers of tasks.
        groups: numbers of groups; those above a number of tasks are left out there.
        methods: names out of ``METHODS``; None: all whose packages are installed. The default
            grouping is always among them.
        rounds: after some to warm up.
        device: where the losses are.
        clock: a key of ``CLOCKS``; ``'cpu'`` leaves out what other processes take.

    Raises:
        ValueError: if a parameter is out of its range.
        ImportError: if a package is missing that was asked for.
    """
    unknown = set(methods or ()) - set(METHODS)
    if unknown or min(*tasks, *groups) < 1:
        raise ValueError(
            f'Parameter `methods` should be of {METHODS}, `tasks` and `groups` at least 1. '
            f'Found {sorted(unknown)}, {tuple(tasks)}, {tuple(groups)}.'
        )
    chosen = dict.fromkeys([OURS, *(methods or _installed())])
    steps = {
        (num_tasks, num_groups, scope, method): _step(num_tasks, num_groups, scope, method, device)
        for num_tasks in sorted(set(tasks))
        for num_groups in sorted(set(groups))
        if num_groups <= num_tasks
        for scope in PASSES
        for method in chosen
        if is_feasible(method, num_tasks)
    }
    lengths = {cell: turn_length(step, TURN_SECONDS) for cell, step in steps.items()}
    turns = {cell: _turn(step, lengths[cell], device) for cell, step in steps.items()}
    seconds, failures = time_in_rounds(
        turns,
        rounds,
        lambda cell: f'{cell[0]} tasks, {cell[1]} groups, {cell[3]}',
        CLOCKS[clock],
    )
    if failures:
        raise ValueError('; '.join(f'{cell}: {why}' for cell, why in failures.items()))
    per_step = {cell: [x / lengths[cell] for x in seconds[cell]] for cell in steps}
    on_gpu = device.type == 'cuda'
    measures = []
    for cell, step in steps.items():
        ours = per_step[(*cell[:3], OURS)]
        ratios = tuple(own / other for own, other in zip(per_step[cell], ours))
        never = cell[3] == OURS and cell[0] <= DENSE_LIMIT
        waits = count_host_waits(step, never) if on_gpu else None
        memory = peak_memory(step, device)
        measures.append(Measure(*cell, tuple(per_step[cell]), ratios, memory, waits))
    return measures


def _installed() -> Iterator[str]:
    for method in METHODS:
        try:
            build_method(method, 3, 2, torch.device('cpu'))
        except ImportError:
            continue
        yield method


def _step(
    num_tasks: int, num_groups: int, scope: str, method: str, device: torch.device
) -> Callable[[], object]:
    weigh = build_method(method, num_tasks, num_groups, device)
    generator = torch.Generator().manual_seed(num_tasks)
    # Losses of several scales, as tasks have them.
    batches = torch.randn(NUM_BATCHES, num_tasks, generator=generator).exp().to(device)
    losses = cycle([batch.clone().requires_grad_() for batch in batches])
    take = {FORWARD: _weights, BACKWARD: _weights_and_backward}[scope]
    return lambda: take(weigh, next(losses))


def _weights(weigh: Weigh, losses: Tensor) -> Tensor:
    weights = weigh(losses)
    return losses.sum() if weights is None else weights


def _weights_and_backward(weigh: Weigh, losses: Tensor) -> Tensor:
    weights = weigh(losses)
    total = losses.sum() if weights is None else (weights * losses).sum()
    losses.grad = None
    total.backward()
    return total


def _turn(step: Callable[[], object], length: int, device: torch.device) -> Callable[[], None]:
    steps = repeat(step, length)

    def take() -> None:
        steps()
        torch.cuda.synchronize(device)

    return take if device.type == 'cuda' else steps


def peak_memory(step: Callable[[], object], device: torch.device) -> int:
    """The most bytes that a step holds at a time, beyond what was held before."""
    if device.type == 'cuda':
        held = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device) - held
    step()
    # Python's and numpy's memory, and torch's: their peaks, each taken by itself.
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with _silent_stderr(), profile(profile_memory=True) as profiler:
        step()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == '[memory]')
    return peak + max(accumulate((change for _, change in changes), initial=0))


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Leaves out what torch's profiler writes past Python, since 2.14 some lines at each use."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open('w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def count_host_waits(step: Callable[[], object], never: bool) -> int:
    """How often a step makes the host wait for the GPU.

    Raises:
        RuntimeError: if it ``never`` should, and does.
    """
    before = torch.cuda.get_sync_debug_mode()
    try:
        if never:
            torch.cuda.set_sync_debug_mode('error')
            step()
            return 0
        torch.cuda.set_sync_debug_mode('warn')
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            step()
        return sum('synchronizing' in str(warning.message) for warning in caught)
    finally:
        torch.cuda.set_sync_debug_mode(before)
