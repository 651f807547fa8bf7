"""Start the processes of cells as jobs of a cluster, by submitit: Slurm's, or its local executor.

Jobs outlive the process that submitted them. A leaderboard that was interrupted finds those that
still run by ``submitted.json`` and waits for them.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional

CLUSTERS = ('slurm', 'local')
JOBS, SUBMITTED = 'jobs', 'submitted.json'
DEFAULTS = {'timeout_min': 24 * 60, 'name': 'leaderboard'}  # submitit's own limit is minutes
ANY_NUMBER = 10_000


class ClusterLauncher:
    """Submits each process as a job.

    Args:
        folder: the leaderboard's; submitit's files go into its ``jobs``.
        cluster: ``slurm``, or ``local``, which runs jobs on this machine by the same way.
        parameters: of submitit's ``update_parameters``: ``slurm_partition``, ``gpus_per_node``,
            ``cpus_per_task``, ``mem_gb``, ``timeout_min``, ...
        workers: how many jobs at a time; None (default): the cluster's queue decides.

    Raises:
        ValueError: if a parameter is unknown, or this machine has no cluster of that name.
        ImportError: if submitit is not installed; the message names the extra.
    """

    def __init__(
        self,
        folder: Path,
        cluster: str,
        parameters: Mapping[str, Any] | None = None,
        workers: int | None = None,
    ) -> None:
        submitit = _import_submitit()
        self._file = folder / SUBMITTED
        self.capacity = ANY_NUMBER if workers is None else workers
        try:
            self._executor = submitit.AutoExecutor(folder / JOBS, cluster=cluster)
            self._executor.update_parameters(**{**DEFAULTS, **(parameters or {})})
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise ValueError(
                'Parameter `cluster` should be a cluster of this machine, with parameters that '
                f'submitit knows. Found `{cluster}`: {error}'
            ) from error

    def start(self, name: str, command: Sequence[str], log: Path) -> ClusterJob:
        """Submit a command, or find it if it is submitted; its output is added to the log."""
        job = self._find(name)
        if job is None:
            job = self._executor.submit(Command([*command], log.resolve()))
            self._note(name, job.job_id)
        return ClusterJob(job, log, lambda: self._note(name, None))

    def _find(self, name: str) -> Any:
        """Find the job of a name, at work or ended unnoticed."""
        number = self._submitted().get(name)
        if number is None:
            return None
        job = self._executor.job_class(self._executor.folder, number)
        # The local executor knows nothing of jobs of another process. It is submitted again, and
        # waits for its folder's lock.
        lost = job.done() and not job.paths.result_pickle.exists()
        return None if lost else job

    def _submitted(self) -> dict[str, str]:
        try:
            return json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def _note(self, name: str, number: str | None) -> None:
        numbers = self._submitted()
        numbers.pop(name, None)
        numbers.update({} if number is None else {name: number})
        save_bytes(self._file, json.dumps(numbers).encode())


def _import_submitit() -> Any:
    return import_optional('submitit', 'cluster', 'Jobs of a cluster')


@dataclass
class Command:
    """Runs a command as a job; queued again when it is preempted or its time is over."""

    arguments: list[str]
    log: Path

    def __call__(self) -> int:
        """Return the exit status, negative the number of a signal."""
        with self.log.open('ab') as output:
            # The open input ends with the job, and the command with the input.
            process = subprocess.Popen(
                self.arguments, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
            return process.wait()

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
        incomplete = _import_submitit().core.utils.UncompletedJobError
        self.forget()
        try:
            return self.job.result()
        except incomplete:  # cancelled, or lost with its node
            return -signal.SIGKILL
        except Exception as error:  # any error of the job
            with self.log.open('a') as log:
                print(f'The job {self.job.job_id} failed: {error}', file=log)
            return 1

    def stop(self) -> None:
        """Cancel it, and wait for its end."""
        self.job.cancel()
        while not self.job.done():
            time.sleep(0.2)
        self.forget()

    def leave(self) -> None:
        """Leave it to the cluster: the next call finds it."""
