"""Looks at a run while it trains: how far it is, and whether its figures are still finite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from go4align_plugins.benchmarks.run_folder import CONFIG, METRICS


class Watch:
    """A look at a run folder, again and again.

    Args:
        folder: the run's; it need not be there yet.

    Attributes:
        progress: share of the epochs that are done, from 0 to 1.
        divergence: the first figure that is not finite, in words; None while all are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.progress = 0.0
        self.divergence: str | None = None
        self._seen: tuple[int, int] | None = None

    def look(self) -> None:
        """Read what is new."""
        try:
            state = (self.folder / METRICS).stat()
            if (state.st_mtime_ns, state.st_size) == self._seen:
                return
            epochs = json.loads((self.folder / CONFIG).read_text())['epochs']
            entries = list(_entries((self.folder / METRICS).read_text()))
        except (OSError, ValueError, KeyError):  # not written yet, or being written
            return
        self._seen = (state.st_mtime_ns, state.st_size)
        self.progress = min(1.0, len(entries) / epochs)
        self.divergence = next(filter(None, map(divergence, entries)), None)


def divergence(entry: Mapping[str, Any]) -> str | None:
    """The first training loss or test metric of an epoch that is not finite, in words."""
    losses = entry.get('train', {}).get('loss', {})
    figures = {f'training loss of {task}': value for task, value in losses.items()}
    for task, metrics in entry.get('test', {}).get('metrics', {}).items():
        figures.update({f'{name} of {task}': value for name, value in metrics.items()})
    for name, value in figures.items():
        if not isfinite(value):
            return f'diverged: the {name} is {value} in epoch {entry["epoch"]}'
    return None


def _entries(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # half-written
            return
        if not isinstance(entry, dict):  # damaged: who goes on with the run tells it
            return
        yield entry
