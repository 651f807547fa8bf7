"""Start the processes of cells: on this machine, or as jobs of a cluster, by submitit.

Jobs outlive a leaderboard that is interrupted, which finds them by ``submitted.json``; local
processes end with it, so that none trains unseen: submitit's local executor is no substitute.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import torch

from go4align_plugins.leaderboard.run.plan import literal
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import require

CPU_SETTINGS = {
    # Threads that wait go to sleep after a moment, which a busy machine needs, and freed memory is
    # kept for the next step: together they more than halve the time of an epoch on a CPU.
    'GOMP_SPINCOUNT': '10000',
    'MALLOC_MMAP_MAX_': '0',
    'MALLOC_TRIM_THRESHOLD_': '4000000000',
    'MALLOC_TOP_PAD_': '100000000',
}
CLUSTERS = ('slurm', 'local')
_import_submitit = partial(import_optional, 'submitit', 'cluster', 'Jobs of a cluster')


class LocalJob(Popen):
    """A process with an open input; its output is added to a log."""

    def __init__(self, command: Sequence[str], log: Path, **options: Any) -> None:
        with log.open('ab') as output:
            super().__init__(command, stdin=PIPE, stdout=output, stderr=output, **options)

    def stop(self) -> None:
        """End it, and wait for its end."""
        self.kill()
        self.wait()

    leave = stop  # at the leaderboard's own end


class LocalLauncher:
    """Starts ``capacity`` processes at a time, each with its share of the cores, or one GPU."""

    def __init__(self, capacity: int = 1) -> None:
        self.capacity = capacity
        self._slots: list[LocalJob | None] = [None] * capacity

    def start(self, name: str, command: Sequence[str], log: Path) -> LocalJob:
        """Start a command in a free slot."""
        slot = next(i for i, job in enumerate(self._slots) if job is None or job.poll() is not None)
        count = torch.cuda.device_count()
        if count:
            visible = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(count)))
            share = {**os.environ, 'CUDA_VISIBLE_DEVICES': visible.split(',')[slot % count]}
        else:  # settings of the user's own stay
            affinity = getattr(os, 'sched_getaffinity', None)
            cores = len(affinity(0)) if affinity else os.cpu_count() or 1
            threads = str(max(1, cores // self.capacity))
            share = {'OMP_NUM_THREADS': threads, **CPU_SETTINGS, **os.environ}
        # In a session of its own: Ctrl-C is for the leaderboard, which ends its processes.
        self._slots[slot] = job = LocalJob(command, log, env=share, start_new_session=True)
        return job


@dataclass
class Command:
    """Runs a command as a job; queued again when it is preempted or its time is over."""

    arguments: list[str]
    log: Path

    def __call__(self) -> int:
        """Return the exit status, negative the number of a signal."""
        return LocalJob(self.arguments, self.log).wait()

    def checkpoint(self) -> Any:
        """Submit the same command again: a cell goes on by itself."""
        return _import_submitit().helpers.DelayedSubmission(self)


@dataclass
class ClusterJob:
    """A job of a cluster; ``forget`` is called when it has ended."""

    job: Any
    log: Path
    forget: Callable[[], None]

    def poll(self) -> int | None:
        """Return the exit status, negative a signal's number; None while it waits or is at work."""
        if not self.job.done():
            return None
        self.forget()
        try:
            return self.job.result()
        except _import_submitit().core.utils.UncompletedJobError:  # cancelled, or lost
            return -signal.SIGKILL
        except Exception as error:  # any error of the job
            with self.log.open('a') as log:
                print(f'The job {self.job.job_id} failed: {error}', file=log)
            return 1

    def stop(self) -> None:
        """Cancel it, and wait for its end."""
        self.job.cancel()
        self.job.wait()
        self.forget()

    def leave(self) -> None:
        """Leave it to the cluster: the next call finds it."""


class ClusterLauncher:
    """Submits each process as a job; options are of submitit's ``update_parameters``."""

    def __init__(self, folder: Path, cluster: str, options: Sequence[str], capacity: int) -> None:
        submitit = _import_submitit()
        self.capacity, self._file = capacity, folder / 'submitted.json'
        # submitit's own limit is minutes.
        parameters: dict[str, Any] = {'timeout_min': 24 * 60, 'name': 'leaderboard'}
        pairs = [option.partition('=') for option in options]
        parameters.update({name: literal(value) for name, _, value in pairs})
        try:
            self._executor = submitit.AutoExecutor(folder / 'jobs', cluster=cluster)
            self._executor.update_parameters(**parameters)
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            rule = f'be a cluster of this machine, with parameters that submitit knows: {error}'
            require(False, 'cluster', rule, cluster)

    def start(self, name: str, command: Sequence[str], log: Path) -> ClusterJob:
        """Submit a command, or find it if it is submitted."""
        number = self._submitted().get(name)
        job = number and self._executor.job_class(self._executor.folder, number)
        # The local executor knows nothing of jobs of another process. It is submitted again, and
        # waits for its folder's lock.
        if not job or (job.done() and not job.paths.result_pickle.exists()):
            job = self._executor.submit(Command([*command], log.resolve()))
            self._note(name, job.job_id)
        return ClusterJob(job, log, partial(self._note, name))

    def _submitted(self) -> dict[str, str]:
        try:
            return json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def _note(self, name: str, number: str | None = None) -> None:
        """Note the job of a name, or that it has ended."""
        numbers = {**self._submitted(), name: number}
        kept = {each: found for each, found in numbers.items() if found is not None}
        save_bytes(self._file, json.dumps(kept).encode())
