"""Store the results of a leaderboard: one file, a line a training run, only ever added to.

A line holds all figures of a report: run folders are not needed. A half-written one is passed over,
and taken out when the next one is added.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from go4align_plugins.leaderboard.run.runs import Run, check_run, printable
from go4align_plugins.utils.files import save_bytes

RESULTS = 'results.jsonl'
FINISHED, FAILED = 'finished', 'failed'
ABSENT = type(None)
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('cell', 'method', 'status'), (str,)),
    **dict.fromkeys(('task', 'reason', 'log'), (str, ABSENT)),
    'seed': (int,),
    'seconds': (int, float, ABSENT),
    **dict.fromkeys(('peak_memory', 'peak_gpu_memory'), (int, ABSENT)),
    'machine': (dict, ABSENT),
    'config': (dict,),
    'epochs': (list,),
}


@dataclass(frozen=True)
class Entry:
    """One cell's outcome."""

    cell: str
    method: str  # its spec
    task: str | None  # of a single-task baseline
    seed: int
    status: str  # FINISHED or FAILED
    reason: str | None = None  # why it failed
    log: str | None = None  # relative to the leaderboard's folder
    seconds: float | None = None  # of training and testing, over all epochs
    peak_memory: int | None = None  # of the training process, in bytes
    peak_gpu_memory: int | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)  # the run's config.json
    epochs: tuple[Mapping[str, Any], ...] = ()  # the run's metrics.jsonl

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
    """A file of entries, made with the first. Of a cell's entries the last counts."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def entries(self) -> dict[str, Entry]:
        """Return every cell's last entry by the cell's name; a damaged line is passed over."""
        entries, lines = {}, self._lines()
        for number, line in enumerate(lines, start=1):
            try:
                entry = parse_entry(line)
                entries[entry.cell] = entry
            except ValueError as error:
                half = ' (half-written?)' if number == len(lines) else ''
                text = f'{self.path}, line {number}: passed over{half}. {error}'
                if line.strip():
                    warnings.warn(printable(text), stacklevel=2)
        return entries

    def append(self, entry: Entry) -> None:
        """Add an entry, whole or not at all: the file is written aside and renamed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f'{self.path}.lock'):
            *lines, rest = self._lines()
            with suppress(ValueError):
                parse_entry(rest)  # whole but for the line's end
                lines.append(rest)
            save_bytes(self.path, b'\n'.join([*lines, entry.line]), durable=True)

    def join(self, others: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Add entries but of cells that are finished here; return those added, and differing."""
        own = self.entries()
        added, differing = [], []
        for entry in others:
            there = own.get(entry.cell)
            if there is None or (entry.finished and not there.finished):
                self.append(entry)
                own[entry.cell] = entry
                added.append(entry)
            elif entry.finished:
                here, new = ([epoch['test'] for epoch in e.epochs] for e in (there, entry))
                differing += [entry] if here != new else []
        return added, differing

    def _lines(self) -> list[bytes]:
        return (self.path.read_bytes() if self.path.exists() else b'').split(b'\n')


def parse_entry(line: bytes) -> Entry:
    """Read a line of a store; ValueError if it is no entry."""
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f'Should be an entry of a leaderboard. Found: {error}') from error
    for name, kinds in TYPES.items():
        value = getattr(entry, name)
        # Nothing that a report or a console shows steers a terminal.
        plain = name == 'reason' or not isinstance(value, str) or value.isprintable()
        if not isinstance(value, kinds) or not plain:
            kind = 'printable text' if str in kinds else f'a {kinds[0].__name__}'
            raise ValueError(f'`{name}` should be {kind}. Found {value!r:.80}.')
    if entry.status not in (FINISHED, FAILED):
        raise ValueError(f'`status` should be {FINISHED} or {FAILED}. Found {entry.status}.')
    reason = entry.reason and printable(entry.reason)
    if not entry.finished:
        return replace(entry, reason=reason, epochs=())
    run = check_run(entry.run)
    return replace(entry, reason=reason, config=run.config, epochs=run.epochs)
