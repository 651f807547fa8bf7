"""Start the processes of cells on this machine, and share out its cores and GPUs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

CPU_SETTINGS = {
    # Threads that wait go to sleep after a moment, which a busy machine needs, and freed memory is
    # kept for the next step: together they more than halve the time of an epoch on a CPU.
    'GOMP_SPINCOUNT': '10000',
    'MALLOC_MMAP_MAX_': '0',
    'MALLOC_TRIM_THRESHOLD_': '4000000000',
    'MALLOC_TOP_PAD_': '100000000',
}


# submitit's local executor is no substitute: its jobs outlive the process that submitted them, so
# a leaderboard that is interrupted would go on unseen.
class LocalLauncher:
    """Starts processes on this machine, ``workers`` at a time; they end when this one does.

    Each has its share of the cores, and one GPU in turn if there are any.
    """

    def __init__(self, workers: int = 1) -> None:
        self.capacity = workers
        self._slots: list[LocalJob | None] = [None] * workers

    def start(self, name: str, command: Sequence[str], log: Path) -> LocalJob:
        """Start a command in a free slot, its input a pipe; its output is added to the log."""
        slot = next(i for i, job in enumerate(self._slots) if job is None or job.poll() is not None)
        with log.open('ab') as output:
            job = LocalJob(
                [*command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **share_of_machine(slot, self.capacity)},
                start_new_session=True,  # Ctrl-C is for the leaderboard, which ends its processes
            )
        self._slots[slot] = job
        return job


class LocalJob(subprocess.Popen):
    """A process; ``poll`` returns its exit status, negative a signal's number, or None."""

    def stop(self) -> None:
        """End it, and wait for its end."""
        self.kill()
        self.wait()

    leave = stop  # at the leaderboard's own end: the process would go on unseen


def share_of_machine(slot: int, workers: int) -> Mapping[str, str]:
    """Return the environment variables that give one of several processes its part of the machine.

    Variables that the user has set stay as they are.
    """
    count = torch.cuda.device_count()
    if count:
        visible = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(count)))
        return {'CUDA_VISIBLE_DEVICES': visible.split(',')[slot % count]}
    affinity = getattr(os, 'sched_getaffinity', None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    wanted = {'OMP_NUM_THREADS': str(max(1, cores // workers)), **CPU_SETTINGS}
    return {name: os.environ.get(name, value) for name, value in wanted.items()}
