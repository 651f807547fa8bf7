"""Store the results of a leaderboard: one file, a line a training run, only ever added to.

A line holds all figures of a report, so that it can be made, or joined with another machine's
results, without the run folders. A line that a killed process left half-written is passed over, and
taken out before the next one is added.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from filelock import FileLock

from go4align_plugins.leaderboard.run.runs import Run, check_run

RESULTS = 'results.jsonl'
FINISHED, FAILED = 'finished', 'failed'
MAY_LACK = ('task', 'reason', 'log', 'seconds', 'peak_memory', 'peak_gpu_memory', 'machine')
TYPES = {
    'cell': str, 'method': str, 'task': str, 'seed': int, 'status': str, 'reason': str, 'log': str,
    'config': dict, 'epochs': list, 'seconds': Real, 'peak_memory': int, 'peak_gpu_memory': int,
    'machine': dict,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One cell's outcome.

    Attributes:
        cell: its name.
        method: its method, as the plan gives it.
        task: the only task of a single-task baseline, else None.
        seed: its seed.
        status: ``'finished'`` or ``'failed'``.
        reason: why it failed.
        log: where its log is, relative to the leaderboard's folder.
        seconds: of training and testing, over all epochs.
        peak_memory: of the training process, in bytes; None if not known.
        peak_gpu_memory: of the GPU, in bytes; None without one.
        machine: its system, processor and GPUs.
        config: the run's ``config.json``: all options, versions, commit.
        epochs: the run's ``metrics.jsonl``.
    """

    cell: str
    method: str
    task: str | None
    seed: int
    status: str
    reason: str | None = None
    log: str | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    peak_gpu_memory: int | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    epochs: tuple[Mapping[str, Any], ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end."""
        return self.status == FINISHED

    @property
    def run(self) -> Run:
        """The run, as a report takes it."""
        return Run(Path(self.cell), self.config, self.epochs)

    @property
    def line(self) -> bytes:
        """Its line in a store."""
        return json.dumps(asdict(self)).encode() + b'\n'


class Store:
    """An append-only file of entries, made with the first. Of a cell's entries the last counts."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def entries(self) -> dict[str, Entry]:
        """Return every cell's last entry, by the cell's name, in the order of their first ones.

        Lines that cannot be read are passed over with a warning: their cells count as not run.

        Raises:
            OSError: if the file is there but cannot be read.
        """
        return {entry.cell: entry for entry in self._read()}

    def append(self, entry: Entry) -> None:
        """Add an entry, whole or not at all.

        Raises:
            OSError: if it cannot be written; the file is then as it was.
        """
        line = entry.line
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f'{self.path}.lock'), self.path.open('ab+', buffering=0) as file:
                file.seek(0)
                content = file.read()
                end = content.rfind(b'\n') + 1
                if _is_entry(content[end:]):  # whole but for the line's end
                    end, line = len(content), b'\n' + line
                file.truncate(end)
                try:
                    while line:  # a disk that is nearly full takes a part
                        line = line[file.write(line) :]
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def join(self, others: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Add the entries of other stores; cells that are finished here are never replaced.

        Returns:
            The entries added, and those that differ from a finished cell of this store.
        """
        own = self.entries()
        added, differing = [], []
        for entry in others:
            there = own.get(entry.cell)
            if there is not None and (there.finished or not entry.finished):
                if entry.finished and _figures(there) != _figures(entry):
                    differing.append(entry)
                continue
            self.append(entry)
            own[entry.cell] = entry
            added.append(entry)
        return added, differing

    def _read(self) -> Iterator[Entry]:
        try:
            lines = self.path.read_bytes().split(b'\n')
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield parse_entry(line)
            except ValueError as error:
                half = ' (half-written?)' if number == len(lines) else ''
                warnings.warn(
                    f'{self.path}, line {number}: passed over{half}. {error}', stacklevel=3
                )


def parse_entry(line: bytes) -> Entry:
    """Read a line of a store.

    Raises:
        ValueError: if it is no entry; the message names the wrong value.
    """
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f'Should be an entry of a leaderboard. Found: {error}') from error
    for name, kind in TYPES.items():
        value = getattr(entry, name)
        if not isinstance(value, kind) and not (value is None and name in MAY_LACK):
            raise ValueError(f'`{name}` should be a {kind.__name__}. Found {value!r:.80}.')
        # Nothing that a report or a console shows steers a terminal.
        if isinstance(value, str) and name != 'reason' and not value.isprintable():
            raise ValueError(f'`{name}` should be printable. Found {value!r:.80}.')
    if entry.reason is not None:
        object.__setattr__(entry, 'reason', printable(entry.reason))
    if entry.status not in (FINISHED, FAILED):
        raise ValueError(f'`status` should be {FINISHED} or {FAILED}. Found {entry.status}.')
    object.__setattr__(entry, 'epochs', tuple(entry.epochs))
    if entry.finished:
        check_run(entry.run)
    return entry


def printable(text: str) -> str:
    """Replace every character that could steer a terminal by a blank."""
    return ''.join(character if character.isprintable() else ' ' for character in text)


def _is_entry(line: bytes) -> bool:
    try:
        return parse_entry(line) is not None
    except ValueError:
        return False


def _figures(entry: Entry) -> list[Any]:
    return [epoch.get('test') for epoch in entry.epochs]
