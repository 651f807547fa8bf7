"""What the fault scripts share: tiny works, how they are started, and what is compared of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
DEADLINE = 600
"""Seconds that no undisturbed process may take."""
CONFIG = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'


@dataclass(frozen=True)
class Work:
    """Something that a user starts, that may be disturbed, and is gone on with.

    Attributes:
        name: on the command line.
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

    def lost(self, out: Path, kept: Mapping[Any, Any]) -> list[Any]:
        """What was finished and is not there any longer, or not as it was."""
        there = (self.present or self.finished)(out)
        return [name for name, value in kept.items() if there.get(name) != value]


def make_works(rooms: Path) -> dict[str, Work]:
    """All works, on data that is rendered into a folder."""
    render(rooms)
    works = (
        Work('libmtl', lambda out: libmtl_words(rooms, out), *OF_A_RUN),
        Work('mmseg', lambda out: mmseg_words(rooms, out), *OF_A_RUN),
        Work('data', data_words, array_digests, array_digests),
        Work('leaderboard', lambda out: board_words(rooms, out), board_result, store_lines),
    )
    return {work.name: work for work in works}


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


def mmseg_words(
    rooms: Path, out: Path, *options: str, workers: int = 0, epochs: int = EPOCHS
) -> list[str]:
    loaders = ('train', 'val', 'test')
    settings = [f'{loader}_dataloader.dataset.data_root={rooms}' for loader in loaders]
    settings += [f'{loader}_dataloader.num_workers={workers}' for loader in loaders]
    settings += [f'{loader}_dataloader.persistent_workers=False' for loader in loaders]
    settings += ['train_dataloader.batch_size=2', f'train_cfg.max_epochs={epochs}']
    return tool(
        'train_mmseg', CONFIG, '--work-dir', out, '--resume', *options, '--cfg-options', *settings
    )


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
        return subprocess.Popen(
            words, env={**os.environ, **ALONE}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, **options,
        )  # fmt: skip


def run(words: Sequence[str], log: Path, **options: Any) -> int:
    """Let a tool come to its end."""
    return spawn(words, log, **options).wait(DEADLINE)


def finish(work: Work, out: Path, log: Path) -> None:
    """Let a work come to its end; what it says if it does not is in the error."""
    status = run(work.command(out), log)
    assert status == 0, f'{work.name} ended with {status}: {tail(log)}'


def tail(log: Path, length: int = 600) -> str:
    return ' '.join(log.read_text(errors='replace')[-length:].split())


def entries(path: Path) -> list[dict[str, Any]]:
    """The epochs of a run, without what no two runs share."""
    found = [json.loads(line) for line in (path / 'metrics.jsonl').read_text().splitlines()]
    return [{**entry, 'seconds': None} for entry in found]


def checkpoint_of(out: Path) -> Path:
    last = out / 'last_checkpoint'
    return out / Path(last.read_text()).name if last.exists() else out / 'last.pt'


def run_result(out: Path) -> Any:
    """A run's epochs and its checkpoint's parameters and optimizer."""
    import go4align_plugins.mmengine  # noqa: F401  (what MMEngine's checkpoints hold)

    state = torch.load(checkpoint_of(out), map_location='cpu', weights_only=True)
    parts = [state.get(name) for name in ('model', 'state_dict', 'optimizer', 'strategy')]
    return entries(out), [digest for part in parts for digest in tensor_digests(part)]


def tensor_digests(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from tensor_digests(entry)
    elif isinstance(value, torch.Tensor):
        yield hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()


def entries_before_last(out: Path) -> dict[int, str]:
    """An entry is added before or after its checkpoint: all but the last one have both."""
    return dict(list(whole_entries(out).items())[:-1])


def whole_entries(out: Path) -> dict[int, str]:
    path = out / 'metrics.jsonl'
    lines = path.read_text().split('\n')[:-1] if path.exists() else []
    return dict(enumerate(lines))


# An entry without its checkpoint is taken out, and the one before it is the last again.
OF_A_RUN = run_result, entries_before_last, whole_entries


def array_digests(out: Path) -> dict[str, str]:
    paths = sorted((*out.rglob('*.npy'), *out.glob('*.json')))
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def store_lines(out: Path) -> dict[int, bytes]:
    path = out / 'results.jsonl'
    lines = path.read_bytes().split(b'\n')[:-1] if path.exists() else []
    return dict(enumerate(lines))


def board_result(out: Path) -> Any:
    """The store without times and memory, and the cells' own results."""
    found = {}
    for line in store_lines(out).values():
        try:
            entry = json.loads(line)
        except ValueError:  # damaged: its cell is there again
            continue
        epochs = [{**epoch, 'seconds': None} for epoch in entry['epochs']]
        same = {name: entry[name] for name in ('method', 'task', 'seed', 'status', 'reason')}
        assert entry['cell'] not in found, f'{entry["cell"]} is in the store twice'
        found[entry['cell']] = {**same, 'epochs': epochs}
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


def assert_undisturbed(work: Work, out: Path, kept: Mapping[Any, Any], undisturbed: Any) -> None:
    """Going on has kept what was finished, and ends as without a disturbance."""
    lost = work.lost(out, kept)
    assert not lost, f'{out}: lost or done again: {lost}'
    assert work.result(out) == undisturbed, f'{out} is not as undisturbed'
