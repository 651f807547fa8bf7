"""Starts the processes of cells on this machine, and shares out its cores and GPUs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

CPU_SETTINGS = {
    # Threads that wait go to sleep after a moment, which a busy machine needs, and freed memory is
    # kept for the next step: together they more than halve the time of an epoch on a CPU.
    'GOMP_SPINCOUNT': '10000',
    'MALLOC_MMAP_MAX_': '0',
    'MALLOC_TRIM_THRESHOLD_': '4000000000',
    'MALLOC_TOP_PAD_': '100000000',
}


class Job(Protocol):
    """A process that has been started."""

    def poll(self) -> int | None:
        """The exit status, negative the number of a signal; None while it is at work."""

    def stop(self) -> None:
        """End it, and wait for that."""

    def leave(self) -> None:
        """Do with it what should be done when this process ends before it."""


class Launcher(Protocol):
    """What starts processes.

    Attributes:
        capacity: how many at a time.
    """

    capacity: int

    def start(self, name: str, command: Sequence[str], log: Path) -> Job:
        """Start a command, its input a pipe that ends with this; its output is added to the log."""


class LocalLauncher:
    """Starts processes on this machine; they end when this one does.

    Args:
        workers: how many at a time, at least 1. Each has its share of the cores, and one GPU in
            turn if there are any.

    Raises:
        ValueError: if ``workers`` is out of its range.
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise ValueError(
                f'Parameter `workers` should be at least 1. Found `workers = {workers}`.'
            )
        self.capacity = workers
        self._slots: list[LocalJob | None] = [None] * workers

    def start(self, name: str, command: Sequence[str], log: Path) -> LocalJob:
        """Start a command in a free slot; what it prints is added to the log."""
        slot = next(i for i, job in enumerate(self._slots) if job is None or job.poll() is not None)
        environment = {**os.environ, **share_of_machine(slot, self.capacity)}
        with log.open('ab') as output:
            process = subprocess.Popen(
                [*command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the leaderboard, which ends its processes
            )
        self._slots[slot] = LocalJob(process)
        return LocalJob(process)


class LocalJob:
    """A process of this machine."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def poll(self) -> int | None:
        """The exit status, negative the number of a signal; None while it is at work."""
        return self._process.poll()

    def stop(self) -> None:
        """End it, and wait for that."""
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """End it: it would go on unseen."""
        self.stop()


def share_of_machine(slot: int, workers: int) -> Mapping[str, str]:
    """The environment variables that give one of several processes its part of the machine.

    What the user has set stays as it is.
    """
    count = torch.cuda.device_count()
    if count:
        visible = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(count)))
        return {'CUDA_VISIBLE_DEVICES': visible.split(',')[slot % count]}
    threads = {'OMP_NUM_THREADS': str(max(1, available_cores() // workers))}
    wanted = {**threads, **CPU_SETTINGS}
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def available_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
