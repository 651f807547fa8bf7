"""Train cells of a plan, several at a time, and store the outcome of each."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from go4align_plugins.leaderboard.run.cell import USAGE, read_usage
from go4align_plugins.leaderboard.run.cluster import ClusterJob, ClusterLauncher
from go4align_plugins.leaderboard.run.commands import training_arguments
from go4align_plugins.leaderboard.run.plan import Cell, Plan
from go4align_plugins.leaderboard.run.processes import LocalJob, LocalLauncher
from go4align_plugins.leaderboard.run.progress import Progress
from go4align_plugins.leaderboard.run.runs import load_run
from go4align_plugins.leaderboard.run.store import FAILED, FINISHED, RESULTS, Entry, Store
from go4align_plugins.utils import files

RUNS, LOGS = 'runs', 'logs'
ATTEMPTS = 3
"""How often a cell is started whose process is killed from outside."""
FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
POLL_SECONDS = 0.2
BAR = '{percentage:3.0f}%|{bar}| {n:.1f}/{total} cells [{elapsed}<{remaining}]{postfix}'
NO_ROOM = {code: os.strerror(code) for code in (*files.NO_ROOM, errno.EROFS)}


@dataclass
class Attempt:
    """One start of a cell's process; the log had ``log_start`` bytes before it."""

    cell: Cell
    number: int
    job: LocalJob | ClusterJob
    progress: Progress
    log: Path
    log_start: int


class Execution:
    """Trains the cells of a leaderboard.

    A cell that fails, or whose figures are no longer finite, is stored as failed with the reason,
    and the others go on. One whose process is killed from outside is gone on with, three times at
    the most, and then left for the next call.

    Raises:
        OSError: if the leaderboard's folder cannot be written to.
    """

    def __init__(self, plan: Plan, folder: Path, launcher: LocalLauncher | ClusterLauncher) -> None:
        self.plan = plan
        self.folder = folder
        self.launcher = launcher
        self.store = Store(folder / RESULTS)
        for name in (RUNS, LOGS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _require_room(folder)
        self._running: list[Attempt] = []
        self._entries: list[Entry] = []

    def run(self, cells: Sequence[Cell]) -> list[Entry]:
        """Train cells; return their outcomes.

        Raises:
            OSError: if the folder cannot be written to any longer, or its disk is full; finished
                cells are kept.
        """
        waiting = deque((cell, 1) for cell in cells)
        with tqdm(total=len(cells), bar_format=BAR, disable=None) as bar:
            try:
                while waiting or self._running:
                    while waiting and len(self._running) < self.launcher.capacity:
                        self._running.append(self._start(*waiting.popleft()))
                    time.sleep(POLL_SECONDS)
                    for attempt in list(self._running):
                        if self._killed(attempt):
                            waiting.append((attempt.cell, attempt.number + 1))
                    ended = len(cells) - len(waiting) - len(self._running)
                    bar.n = ended + sum(attempt.progress.share for attempt in self._running)
                    bar.set_postfix_str(' '.join(a.cell.name for a in self._running), False)
                    bar.refresh()
            finally:
                for attempt in self._running:
                    attempt.job.leave()
        return self._entries

    def _start(self, cell: Cell, number: int) -> Attempt:
        log, folder = self.folder / LOGS / f'{cell.name}.log', self.folder / RUNS / cell.name
        _set_aside_if_diverged(folder)
        log_start = log.stat().st_size if log.exists() else 0
        # Unbuffered: the log is read while the process works, and its last line where it failed.
        command = [sys.executable, '-u', '-m', 'go4align_plugins.leaderboard.run.cell']
        command += ['--attached', self.plan.framework, str(folder), '--']
        command += training_arguments(self.plan, cell, folder)
        job = self.launcher.start(cell.name, command, log)
        return Attempt(cell, number, job, Progress(folder), log, log_start)

    def _killed(self, attempt: Attempt) -> bool:
        """Store an attempt that has ended; return whether it was killed, to be started again."""
        status = attempt.job.poll()
        attempt.progress.update()  # after the poll: of a process that has ended it misses nothing
        if attempt.progress.divergence:
            attempt.job.stop()
            self._end(attempt, attempt.progress.divergence)
        elif status == 0:
            self._end(attempt)
        elif status is not None and -status in FROM_OUTSIDE:
            self._running.remove(attempt)
            again = attempt.number < ATTEMPTS
            next_step = 'going on with it' if again else 'left for the next call'
            name = signal.Signals(-status).name
            tqdm.write(f'{attempt.cell.name}: killed by {name}, {next_step}')
            return again
        elif status is not None:
            reason = _last_line(attempt.log, attempt.log_start) or 'nothing in its log'
            reason += f' ({signal.Signals(-status).name})' if status < 0 else ''
            _require_room(self.folder, reason)
            self._end(attempt, reason)
        return False

    def _end(self, attempt: Attempt, failure: str | None = None) -> None:
        self._running.remove(attempt)
        cell, outcome = attempt.cell, {}
        if failure is None:
            try:
                outcome = _read_outcome(attempt.progress.folder)
            except (ValueError, TypeError) as error:
                failure = f'its run folder cannot be read: {error}'
        entry = Entry(
            cell.name, cell.method.spec, cell.task, cell.seed, FAILED if failure else FINISHED,
            failure, str(attempt.log.relative_to(self.folder)), **outcome,
        )  # fmt: skip
        self.store.append(entry)
        self._entries.append(entry)
        seconds = '' if entry.seconds is None else f', {entry.seconds:.0f} s'
        message = f'{failure} (see {attempt.log})' if failure else f'finished{seconds}'
        tqdm.write(f'{cell.name}: {message}')


def _read_outcome(folder: Path) -> dict[str, Any]:
    run = load_run(folder)
    seconds = sum(sum(entry['seconds'].values()) for entry in run.epochs)
    usage = read_usage(folder / USAGE)
    return {'config': run.config, 'epochs': run.epochs, 'seconds': seconds, **usage}


def _set_aside_if_diverged(folder: Path) -> None:
    """Rename the folder of a run that diverged: tried again, it begins from the start."""
    progress = Progress(folder)
    progress.update()
    if progress.divergence:
        names = (folder.with_name(f'{folder.name}.diverged-{n}') for n in itertools.count(1))
        folder.rename(next(name for name in names if not name.exists()))


def _require_room(folder: Path, reason: str = '') -> None:
    """Raise OSError for a full disk or a read-only one, so that not every cell fails by it."""
    probe = folder / '.probe'
    code = next((code for code, text in NO_ROOM.items() if text in reason), None)
    try:
        probe.write_bytes(b'0' * 2**16)
        probe.unlink()
    except OSError as error:
        code = error.errno
        if code in files.NO_ROOM:
            probe.unlink(missing_ok=True)
    if code is not None:
        raise OSError(code, os.strerror(code), str(folder))


def _last_line(log: Path, start: int) -> str:
    """Find the last line of a log that is not blank, after ``start`` bytes."""
    lines = log.read_bytes()[start:].decode(errors='replace').replace('\r', '\n').splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), '')[:500]
