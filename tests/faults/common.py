"""Helpers of the fault scripts: tiny works, how they are started, and how their ends compare."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.utils.files import find_damage

from .. import ROOT, TOOLS

PATHS = os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH'))))
# One thread each, so that sums are in the same order whatever else the machine does.
ALONE = {'PYTHONPATH': PATHS, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
EPOCHS = 4
FRAMES = {'train': 8, 'val': 4}
SIZE = (32, 48)
DEADLINE = 600  # seconds that no undisturbed process may take
CONFIG = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'


def tool(name: str, *words: Any) -> list[str]:
    return [sys.executable, str(TOOLS / f'{name}.py'), *map(str, words)]


def libmtl(rooms: Path, out: Path, *options: Any) -> list[str]:
    return tool(
        'train_libmtl', '--dataset', 'rooms', '--data', rooms, '--out', out, '--resume',
        '--epochs', EPOCHS, '--batch-size', 4, '--augment', '--device', 'cpu', *options,
    )  # fmt: skip


def mmseg(rooms: Path, out: Path, *options: str, workers=0, epochs=EPOCHS) -> list[str]:
    settings = ['train_dataloader.batch_size=2', f'train_cfg.max_epochs={epochs}']
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        settings += [f'{loader}.dataset.data_root={rooms}', f'{loader}.num_workers={workers}']
        settings.append(f'{loader}.persistent_workers=False')
    options = ('--work-dir', out, '--resume', *options, '--cfg-options')
    return tool('train_mmseg', CONFIG, *options, *settings)


def data(out: Path) -> list[str]:
    counts = ('--train', 4 * FRAMES['train'], '--val', FRAMES['val'])
    return tool(
        'prepare_data', 'rooms', '--out', out, *counts, '--size', *SIZE, '--workers', 2, '--check'
    )


def board(rooms: Path, out: Path, workers: int = 2) -> list[str]:
    return tool(
        'leaderboard', 'run', '--benchmark', 'rooms', '--data', rooms, '--out', out,
        '--methods', 'EW', 'GO4Align', 'UW', '--tasks', 'segmentation', 'depth',
        '--workers', workers, '--epochs', 2, '--batch-size', 4, '--device', 'cpu',
    )  # fmt: skip


def render(rooms: Path) -> None:
    """Render the frames that are not there yet."""
    render_dataset('rooms', rooms, size=SIZE, num_frames=FRAMES, workers=1)


def spawn(words: Sequence[str], log: Path) -> subprocess.Popen:
    """Start a process as a user does; its output is added to a log."""
    with log.open('ab') as output:
        streams = {'stdin': subprocess.DEVNULL, 'stdout': output, 'stderr': output}
        return subprocess.Popen(words, env={**os.environ, **ALONE}, **streams)


def run(words: Sequence[str], log: Path) -> int:
    """Let a tool come to its end."""
    return spawn(words, log).wait(DEADLINE)


def tail(log: Path) -> str:
    return ' '.join(log.read_text(errors='replace')[-600:].split())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def lines(name: str, out: Path) -> dict[int, bytes]:
    """The whole lines of a file."""
    path = out / name
    return dict(enumerate(path.read_bytes().split(b'\n')[:-1] if path.exists() else []))


entries = partial(lines, 'metrics.jsonl')


def without_times(epochs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**epoch, 'seconds': None} for epoch in epochs]


def result_of_run(out: Path) -> Any:
    """A run's epochs, and a digest of its checkpoint's parameters and optimizer."""
    import go4align_plugins.mmengine  # noqa: F401  (lets torch load MMEngine's checkpoints)

    last = out / 'last_checkpoint'
    path = out / Path(last.read_text()).name if last.exists() else out / 'last.pt'
    state = torch.load(path, map_location='cpu', weights_only=True)
    parts = [state.get(name) for name in ('model', 'state_dict', 'optimizer', 'strategy')]
    values = json.dumps(parts, default=lambda array: array.tolist())
    return without_times(map(json.loads, entries(out).values())), digest(values.encode())


def entries_before_last(out: Path) -> dict[int, bytes]:
    """An entry is added before or after its checkpoint: all but the last one have both."""
    return dict([*entries(out).items()][:-1])


def digests(out: Path) -> dict[str, str]:
    paths = (*out.rglob('*.npy'), *out.glob('*.json'))
    return {str(path.relative_to(out)): digest(path.read_bytes()) for path in paths}


def result_of_board(out: Path) -> Any:
    """The store without times and memory, and the cells' own results."""
    found = {}
    for line in lines('results.jsonl', out).values():
        try:
            entry = json.loads(line)
        except ValueError:  # damaged: its cell is there again
            continue
        same = [entry[name] for name in ('method', 'task', 'seed', 'status', 'reason')]
        assert entry['cell'] not in found, f'{entry["cell"]} is in the store twice'
        found[entry['cell']] = same, without_times(entry['epochs'])
    return found, {cell: result_of_run(out / 'runs' / cell) for cell in found}


def assert_whole(out: Path) -> None:
    """No file is half-written under its own name."""
    for path in out.rglob('*'):
        try:
            if path.suffix == '.npy':
                np.load(path)
            elif path.suffix == '.json' and 'vis_data' not in path.parts:
                json.loads(path.read_text())
            damage = path.suffix in ('.pt', '.pth') and find_damage(path)
        except (ValueError, OSError, EOFError) as error:
            damage = str(error)
        assert not damage, f'half-written: {path}: {damage}'


@dataclass(frozen=True)
class Work:
    """Something that a user starts in a folder, that may be disturbed, and is gone on with."""

    command: Callable[[Path], list[str]]  # begins or goes on with it
    result: Callable[[Path], Any] = result_of_run  # as if nothing had happened
    # What must never be lost or done again, by name; and all that is there, by the same names. An
    # entry without its checkpoint is taken out, and the one before it is the last again.
    finished: Callable[[Path], Mapping[Any, Any]] = entries_before_last
    present: Callable[[Path], Mapping[Any, Any]] = entries

    def assert_kept(self, out: Path, kept: Mapping[Any, Any]) -> None:
        """What was finished is there as it was, and no file is half-written under its own name."""
        assert_whole(out)
        there = self.present(out)
        lost = [name for name, value in kept.items() if there.get(name) != value]
        assert not lost, f'{out}: lost or done again: {lost}'

    def finish(self, out: Path, log: Path) -> Any:
        """Let it come to its end; returns its result."""
        status = run(self.command(out), log)
        assert status == 0, f'{out} ended with {status}: {tail(log)}'
        return self.result(out)


def make_works(rooms: Path) -> dict[str, Work]:
    stored = partial(lines, 'results.jsonl')
    return {
        'libmtl': Work(partial(libmtl, rooms)),
        'mmseg': Work(partial(mmseg, rooms)),
        'data': Work(data, digests, digests, digests),
        'leaderboard': Work(partial(board, rooms), result_of_board, stored, stored),
    }
