"""Follow a run while it trains: how far it is, and whether its figures are still finite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from go4align_plugins.utils.run_folder import CONFIG, METRICS


class Progress:
    """The progress of a run, whose folder need not be there yet.

    Attributes:
        share: of the epochs that are done, from 0 to 1.
        divergence: a message about the first figure that is not finite; None while all are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.share = 0.0
        self.divergence: str | None = None
        self._seen: tuple[int, int] | None = None

    def update(self) -> None:
        """Read the lines that are new."""
        entries: list[dict[str, Any]] = []
        try:
            state = (self.folder / METRICS).stat()
            if (state.st_mtime_ns, state.st_size) == self._seen:
                return
            epochs = json.loads((self.folder / CONFIG).read_text())['epochs']
            lines = (self.folder / METRICS).read_text().splitlines()
        except (OSError, ValueError, KeyError):  # not written yet, or being written
            return
        for line in lines:
            try:
                entries.append(dict(json.loads(line)))
            except (
                ValueError,
                TypeError,
            ):  # half-written, or damaged
                break
        self._seen = (state.st_mtime_ns, state.st_size)
        self.share = min(1.0, len(entries) / epochs)
        self.divergence = next(filter(None, map(_divergence, entries)), None)


def _divergence(entry: Mapping[str, Any]) -> str | None:
    """Describe the first training loss or test metric of an epoch that is not finite."""
    losses = entry.get('train', {}).get('loss', {})
    figures = {f'training loss of {task}': value for task, value in losses.items()}
    for task, metrics in entry.get('test', {}).get('metrics', {}).items():
        figures.update({f'{name} of {task}': value for name, value in metrics.items()})
    for name, value in figures.items():
        if not isfinite(value):
            return f'diverged: the {name} is {value} in epoch {entry["epoch"]}'
    return None
