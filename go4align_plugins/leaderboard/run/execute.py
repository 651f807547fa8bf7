"""Train cells of a plan, several at a time, and store the outcome of each."""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from go4align_plugins.leaderboard.run.cell import USAGE, training_arguments
from go4align_plugins.leaderboard.run.launchers import ClusterLauncher, LocalLauncher
from go4align_plugins.leaderboard.run.plan import Cell, Plan
from go4align_plugins.leaderboard.run.runs import load_run, printable
from go4align_plugins.leaderboard.run.store import FAILED, FINISHED, RESULTS, Entry, Store
from go4align_plugins.utils.files import NO_ROOM, save_bytes
from go4align_plugins.utils.run_folder import CONFIG, METRICS

RUNS, LOGS = 'runs', 'logs'
ATTEMPTS = 3  # starts of a cell whose process is killed from outside
FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
BAR = '{percentage:3.0f}%|{bar}| {n:.1f}/{total} cells [{elapsed}<{remaining}]{postfix}'


class Execution:
    """Trains the cells of a leaderboard, in a folder that it makes; a failed one stops no other."""

    def __init__(self, plan: Plan, folder: Path, launcher: LocalLauncher | ClusterLauncher) -> None:
        self.plan, self.folder, self.launcher = plan, folder, launcher
        self.store = Store(folder / RESULTS)
        for name in (RUNS, LOGS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _require_room(folder)

    def run(self, cells: Sequence[Cell]) -> None:
        """Train cells, and store their outcomes; OSError if the folder cannot be written to."""
        waiting, shares = deque(cells), dict.fromkeys(cells, 0.0)
        running: dict[Cell, Generator[float, None, None]] = {}
        with tqdm(total=len(cells), bar_format=BAR, disable=None) as bar:
            try:
                while waiting or running:
                    while waiting and len(running) < self.launcher.capacity:
                        cell = waiting.popleft()
                        running[cell] = self._train(cell)
                    shares.update((cell, next(running[cell], math.inf)) for cell in running)
                    for cell in [cell for cell in running if shares[cell] == math.inf]:
                        del running[cell]  # it has ended
                    bar.n = sum(min(1.0, share) for share in shares.values())
                    bar.set_postfix_str(' '.join(cell.name for cell in running), refresh=False)
                    bar.refresh()
                    time.sleep(0.2)
            finally:
                for training in running.values():
                    training.close()

    def _train(self, cell: Cell) -> Generator[float, None, None]:
        """Train a cell and store its outcome; yield the share of its epochs that is done."""
        log, folder = self.folder / LOGS / f'{cell.name}.log', self.folder / RUNS / cell.name
        if read_progress(folder)[1]:  # a run that diverged begins from the start
            names = (folder.with_name(f'{folder.name}.diverged-{n}') for n in itertools.count(1))
            folder.rename(next(name for name in names if not name.exists()))
        # Unbuffered: the log is read while the process works, and its last line where it failed.
        command = [sys.executable, '-u', '-m', 'go4align_plugins.leaderboard.run.cell']
        command += [self.plan.framework, str(folder), *training_arguments(self.plan, cell, folder)]
        for attempt in range(ATTEMPTS):
            start = log.stat().st_size if log.exists() else 0
            job = self.launcher.start(cell.name, command, log)
            status: int | None = None
            share, divergence = 0.0, ''
            try:
                while status is None and not divergence:
                    yield share
                    status = job.poll()
                    share, divergence = read_progress(folder)  # after the poll: it misses nothing
                if status is None:
                    job.stop()
            finally:
                job.leave()
            if divergence or not status:
                return self._store(cell, log, divergence)
            killer = signal.Signals(-status).name if status < 0 else ''
            if -status not in FROM_OUTSIDE:
                text = log.read_bytes()[start:].decode(errors='replace').replace('\r', '\n')
                reason = text.rstrip().rpartition('\n')[2].strip()[:500] or 'nothing in its log'
                _require_room(self.folder, reason)
                return self._store(cell, log, reason + (f' ({killer})' if killer else ''))
            onward = 'going on with it' if attempt + 1 < ATTEMPTS else 'left for the next call'
            tqdm.write(f'{cell.name}: killed by {killer}, {onward}')

    def _store(self, cell: Cell, log: Path, failure: str) -> None:
        outcome: dict[str, Any] = {}
        if not failure:
            folder = self.folder / RUNS / cell.name
            try:
                run = load_run(folder)
                seconds = sum(sum(entry['seconds'].values()) for entry in run.epochs)
                outcome = {'config': run.config, 'epochs': run.epochs, 'seconds': seconds}
                with suppress(OSError, ValueError, TypeError):  # for information alone
                    usage = dict(json.loads((folder / USAGE).read_bytes()))
                    for name in ('peak_memory', 'peak_gpu_memory', 'machine'):
                        outcome[name] = usage.get(name)
            except (ValueError, TypeError) as error:
                failure = f'its run folder cannot be read: {error}'
        entry = Entry(
            cell.name, cell.method.spec, cell.task, cell.seed, FAILED if failure else FINISHED,
            failure or None, f'{LOGS}/{log.name}', **outcome,
        )  # fmt: skip
        self.store.append(entry)
        message = f'{failure} (see {log})' if failure else f'finished, {entry.seconds:.0f} s'
        tqdm.write(f'{cell.name}: {printable(message)}')


def read_progress(folder: Path) -> tuple[float, str]:
    """Return the share of a run's epochs that is done; in words a figure that is not finite."""
    try:
        state = (folder / METRICS).stat()
        return _read_progress(folder, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError, LookupError, TypeError):  # not written yet, or being written
        return 0.0, ''


@lru_cache
def _read_progress(folder: Path, *version: int) -> tuple[float, str]:
    epochs = json.loads((folder / CONFIG).read_bytes())['epochs']
    entries: list[dict[str, Any]] = []
    with suppress(ValueError):  # of a line that is half-written
        entries.extend(map(json.loads, (folder / METRICS).read_bytes().splitlines()))
    for entry in entries:
        figures = {f'training loss of {task}': x for task, x in entry['train']['loss'].items()}
        for task, metrics in entry['test']['metrics'].items():
            figures.update({f'{name} of {task}': value for name, value in metrics.items()})
        for name, value in figures.items():
            if not math.isfinite(value):
                return 0.0, f'diverged: the {name} is {value} in epoch {entry["epoch"]}'
    return min(1.0, len(entries) / epochs), ''


def _require_room(folder: Path, reason: str = '') -> None:
    """Raise OSError for a full disk or a read-only one, so that not every cell fails by it."""
    for code in (*NO_ROOM, errno.EROFS):
        if os.strerror(code) in reason:
            raise OSError(code, os.strerror(code), str(folder))
    save_bytes(folder / '.probe', bytes(2**16))
    (folder / '.probe').unlink()
