"""What the fault scripts share: tiny works, how they are started, and what is compared of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.utils.files import find_damage

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH'))))
# One thread each, so that sums are in the same order whatever else the machine does.
ALONE = {'PYTHONPATH': PATHS, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
EPOCHS = 4
FRAMES = {'train': 8, 'val': 4}
SIZE = (32, 48)
DEADLINE = 600  # seconds that no undisturbed process may take
CONFIG = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'


@dataclass(frozen=True)
class Work:
    """Something that a user starts, that may be disturbed, and is gone on with.

    Attributes:
        name: of the tool, and of what is special.
        command: the words that begin or go on with it in a folder.
        result: what must be as if nothing had happened.
        finished: what must never be lost or done again, by name.
        present: all that is there, by the same names; some of it may have to be done again. By
            default what is finished.
    """

    name: str
    command: Callable[[Path], list[str]]
    result: Callable[[Path], Any]
    finished: Callable[[Path], Mapping[Any, Any]]
    present: Callable[[Path], Mapping[Any, Any]] | None = None

    def assert_kept(self, out: Path, kept: Mapping[Any, Any]) -> None:
        """What was finished is there as it was, and no file is half-written under its own name."""
        assert_whole(out)
        there = (self.present or self.finished)(out)
        lost = [name for name, value in kept.items() if there.get(name) != value]
        assert not lost, f'{out}: lost or done again: {lost}'

    def finish(self, out: Path, log: Path) -> Any:
        """Let it come to its end; returns its result."""
        status = run(self.command(out), log)
        assert status == 0, f'{self.name} ended with {status}: {tail(log)}'
        return self.result(out)


class Works(dict[str, Work]):
    """All works by name, on data that is rendered into a folder."""

    def __init__(self, rooms: Path) -> None:
        self.rooms = rooms
        render(rooms)
        for work in (
            Work('libmtl', lambda out: libmtl_words(rooms, out), *OF_A_RUN),
            Work('mmseg', lambda out: mmseg_words(rooms, out), *OF_A_RUN),
            Work('data', data_words, digests, digests),
            Work('leaderboard', lambda out: board_words(rooms, out), board_result, store_lines),
        ):
            self[work.name] = work


def render(rooms: Path) -> None:
    """Render the frames that are not there yet."""
    render_dataset('rooms', rooms, size=SIZE, num_frames=FRAMES, workers=1)


def tool(name: str, *words: Any) -> list[str]:
    return [sys.executable, str(ROOT / 'tools' / f'{name}.py'), *map(str, words)]


def libmtl_words(rooms: Path, out: Path, *options: str) -> list[str]:
    return tool(
        'train_libmtl', '--dataset', 'rooms', '--data', rooms, '--out', out, '--resume',
        '--epochs', EPOCHS, '--batch-size', 4, '--augment', '--device', 'cpu', *options,
    )  # fmt: skip


def mmseg_words(rooms: Path, out: Path, *options: str, workers=0, epochs=EPOCHS) -> list[str]:
    settings = ['train_dataloader.batch_size=2', f'train_cfg.max_epochs={epochs}']
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        settings += [f'{loader}.dataset.data_root={rooms}', f'{loader}.num_workers={workers}']
        settings.append(f'{loader}.persistent_workers=False')
    options = ('--work-dir', out, '--resume', *options, '--cfg-options')
    return tool('train_mmseg', CONFIG, *options, *settings)


def data_words(out: Path) -> list[str]:
    counts = ('--train', 4 * FRAMES['train'], '--val', FRAMES['val'])
    return tool(
        'prepare_data', 'rooms', '--out', out, *counts, '--size', *SIZE, '--workers', 2, '--check'
    )


def board_words(rooms: Path, out: Path, workers: int = 2) -> list[str]:
    return tool(
        'leaderboard', 'run', '--benchmark', 'rooms', '--data', rooms, '--out', out,
        '--methods', 'EW', 'GO4Align', 'UW', '--tasks', 'segmentation', 'depth',
        '--workers', workers, '--epochs', 2, '--batch-size', 4, '--device', 'cpu',
    )  # fmt: skip


def spawn(words: Sequence[str], log: Path, **options: Any) -> subprocess.Popen:
    """Start a process as a user does; what it says is added to a log."""
    with log.open('ab') as output:
        options = {'stdin': subprocess.DEVNULL, 'stdout': output, 'stderr': output, **options}
        return subprocess.Popen(words, env={**os.environ, **ALONE}, **options)


def run(words: Sequence[str], log: Path, **options: Any) -> int:
    """Let a tool come to its end."""
    return spawn(words, log, **options).wait(DEADLINE)


def tail(log: Path) -> str:
    return ' '.join(log.read_text(errors='replace')[-600:].split())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run_result(out: Path) -> Any:
    """A run's epochs, and its checkpoint's parameters and optimizer."""
    import go4align_plugins.mmengine  # noqa: F401  (what MMEngine's checkpoints hold)

    last = out / 'last_checkpoint'
    path = out / Path(last.read_text()).name if last.exists() else out / 'last.pt'
    state = torch.load(path, map_location='cpu', weights_only=True)
    parts = [state.get(name) for name in ('model', 'state_dict', 'optimizer', 'strategy')]
    entries = [json.loads(line) for line in (out / 'metrics.jsonl').read_text().splitlines()]
    return without_times(entries), tensor_digests(parts)


def without_times(epochs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**epoch, 'seconds': None} for epoch in epochs]


def tensor_digests(value: Any) -> list[str]:
    if isinstance(value, torch.Tensor):
        return [digest(value.contiguous().numpy().tobytes())]
    inner = value.values() if isinstance(value, dict) else value
    is_nested = isinstance(value, (dict, list, tuple))
    return [found for each in inner for found in tensor_digests(each)] if is_nested else []


def lines(path: Path) -> dict[int, bytes]:
    """The whole lines of a file."""
    return dict(enumerate(path.read_bytes().split(b'\n')[:-1] if path.exists() else []))


def entries_before_last(out: Path) -> dict[int, bytes]:
    """An entry is added before or after its checkpoint: all but the last one have both."""
    return dict(list(lines(out / 'metrics.jsonl').items())[:-1])


# An entry without its checkpoint is taken out, and the one before it is the last again.
OF_A_RUN = run_result, entries_before_last, lambda out: lines(out / 'metrics.jsonl')


def digests(out: Path) -> dict[str, str]:
    paths = (*out.rglob('*.npy'), *out.glob('*.json'))
    return {str(path.relative_to(out)): digest(path.read_bytes()) for path in paths}


def store_lines(out: Path) -> dict[int, bytes]:
    return lines(out / 'results.jsonl')


def board_result(out: Path) -> Any:
    """The store without times and memory, and the cells' own results."""
    found = {}
    for line in store_lines(out).values():
        try:
            entry = json.loads(line)
        except ValueError:  # damaged: its cell is there again
            continue
        same = [entry[name] for name in ('method', 'task', 'seed', 'status', 'reason')]
        assert entry['cell'] not in found, f'{entry["cell"]} is in the store twice'
        found[entry['cell']] = same, without_times(entry['epochs'])
    return found, {cell: run_result(out / 'runs' / cell) for cell in found}


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
