"""A training run's files: ``config.json``, ``metrics.jsonl`` (a line an epoch) and a checkpoint.

They are written aside and renamed, or appended to line by line: a run killed at any moment can be
resumed.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import go4align_plugins
from go4align_plugins.utils.files import describe_damage, save_bytes, save_json

CONFIG, METRICS, CHECKPOINT = 'config.json', 'metrics.jsonl', 'last.pt'
MAY_CHANGE = ('epochs', 'validation', 'data', 'out', 'workers', 'device', 'versions', 'commit')
"""Options that may differ in a resumed run: the rest decides what is learned."""
BEGIN_ANEW = 'Put the file back as it was, or move the folder away to begin anew.'


class RunFolderError(ValueError):
    """A run folder that cannot be gone on with; the message names the file and the remedy."""


class RunFolder:
    """One run's folder, which is made; ``config`` has all options of the run, as plain values.

    A RunFolderError: it holds a run and ``resume`` is False, or a run with other options.
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any], resume: bool = False) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / CHECKPOINT
        self.path.mkdir(parents=True, exist_ok=True)
        started = (self.path / METRICS).exists() or self.checkpoint.exists()
        if started and not resume:
            raise RunFolderError(
                f'{self.path}: holds a run already. '
                'Add --resume to go on with it, or choose another folder by --out or --work-dir.'
            )
        if started:
            self._require_same(config)
        save_json(self.path / CONFIG, dict(config))

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an epoch to ``metrics.jsonl``; an OSError names the file."""
        path = self.path / METRICS
        try:
            with path.open('a') as file:
                file.write(json.dumps(dict(entry)) + '\n')
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def keep_until(self, epoch: int) -> None:
        """Drop the entries from that epoch on; a RunFolderError names a broken one before it."""
        file = self.path / METRICS
        lines = file.read_bytes().splitlines() if file.exists() else []
        for number in range(epoch):
            if number >= len(lines) or _epoch(lines[number]) != number:
                found = f'`{lines[number].decode(errors="replace"):.60}`' if lines[number:] else ''
                raise RunFolderError(
                    f'{file}, line {number + 1}: should be the entry of epoch {number}, which is '
                    f'trained. Found {found or "none"}. {BEGIN_ANEW}'
                )
        if file.exists():
            save_bytes(file, b''.join(line + b'\n' for line in lines[:epoch]))

    def _require_same(self, config: Mapping[str, Any]) -> None:
        file = self.path / CONFIG
        try:
            before = json.loads(file.read_bytes())
            found = None if isinstance(before, dict) else f'{before!r:.80}'
        except (OSError, ValueError, RecursionError) as error:
            found = describe_damage(file, error)
        if found is not None:
            raise RunFolderError(
                f'{file}: should hold the options of the run. Found: {found}. {BEGIN_ANEW}'
            )
        for name in before.keys() | config.keys():
            now = json.loads(json.dumps(config.get(name)))
            if name not in MAY_CHANGE and before.get(name) != now:
                raise RunFolderError(
                    f'Parameter `{name}` should be as in the run that is resumed: '
                    f'`{before.get(name)}`. Found `{now}`.'
                )


def _epoch(line: bytes) -> int | None:
    try:
        epoch = json.loads(line)['epoch']
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return epoch if type(epoch) is int else None


def describe_environment(*packages: str) -> dict[str, Any]:
    """Versions of Python and of the installed packages, and the commit of this one, if known."""
    versions = {
        'python': platform.python_version(),
        'go4align-plugins': go4align_plugins.__version__,
    }
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    command = ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*']
    folder, commit = Path(go4align_plugins.__file__).parent, None
    if (folder.parent / '.git').exists():
        with suppress(OSError, subprocess.CalledProcessError):
            commit = subprocess.check_output(
                command, cwd=folder, stderr=subprocess.DEVNULL, text=True
            ).strip()
    return {'versions': versions, 'commit': commit}
