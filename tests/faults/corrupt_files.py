"""Damages files that a work goes on from: cut short, a bit flipped, emptied, replaced by noise.

Each time the end is that of the undisturbed run, at once or after doing what an error, which names
the file and has no traceback, says.

    python -m pytest tests/faults/corrupt_files.py
    python -m pytest tests/faults/corrupt_files.py -k 'libmtl or data'
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from . import common

FRAMES = ('train/image/3.npy', 'train/depth/1.npy', 'train/label/2.npy', 'dataset.json')
FILES = {
    'libmtl': ('last.pt', 'config.json', 'metrics.jsonl'),
    'mmseg': ('epoch_2.pth', 'last_checkpoint', 'config.json', 'metrics.jsonl'),
    'data': ('train/image/3.npy', 'train/normal/1.npy', 'dataset.json'),
    'leaderboard': ('results.jsonl', 'plan.yaml', 'runs/EW-0/usage.json'),
    'libmtl-frames': FRAMES,
    'mmseg-frames': FRAMES,
}
REMEDIES: dict[str, Callable[[Path, bytes], object]] = {
    'delete it': lambda path, content: path.unlink(),
    'delete damaged files': lambda path, content: path.unlink(),
    'back as it was': lambda path, content: path.write_bytes(content),
}
"""What an error says, and what is then done."""


def flip(content: bytes) -> bytes:
    """A bit of the middle: of a text one that no text has; of an array all of the last number's
    exponent.

    Another digit in a text, or a pixel a little brighter, is nothing that could be noticed.
    """
    array = content[:6] == b'\x93NUMPY'
    place = len(content) - 1 if array else len(content) // 2
    changed = content[place] | 0xFF if array else content[place] ^ 0x80
    return content[:place] + bytes([changed]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    'truncated': lambda content: content[: len(content) // 2],
    'flipped': flip,
    'empty': lambda content: b'',
    'noise': lambda content: random.Random(0).randbytes(len(content)),
}


def damage(work: common.Work, half: Path, expected: object, file: str, kind: str) -> None:
    """Damage a file in a copy of a work that is half done, and go on with it."""
    out = half.with_name(f'{half.name}-{Path(file).name}-{kind}')
    shutil.copytree(half, out)
    path, log = out / file, beside(out, 'log')
    content = path.read_bytes()
    path.write_bytes(DAMAGES[kind](content))
    status = common.run(work.command(out), log)
    said = log.read_text(errors='replace')
    if status:
        plain = str(path) in said and 'Traceback' not in said
        assert plain, f'status {status} and no plain error: {common.tail(log)}'
        advice = next((advice for advice in REMEDIES if advice in said.lower()), None)
        assert advice is not None, f'no advice in the error: {common.tail(log)}'
        REMEDIES[str(advice)](path, content)
        if work.name.endswith('frames'):
            common.render(out)
        common.finish(work, out, log)
    assert work.result(out) == expected, f'{path} changed the end, and nothing was said'


def stop_early(work: common.Work, rooms: Path, half: Path, log: Path) -> None:
    """Do a part of a work, so that there is something to go on from."""
    if work.name == 'libmtl':
        words = common.libmtl_words(rooms, half, '--epochs', '2')
    elif work.name == 'mmseg':
        words = common.mmseg_words(rooms, half, epochs=2)
    else:
        words = work.command(half)
    assert common.run(words, log) == 0, common.tail(log)


def beside(out: Path, kind: str) -> Path:
    return out.with_name(f'{out.name}.{kind}')


def frames_work(name: str, words: Callable[..., list[str]]) -> common.Work:
    """A training on frames that may be damaged, with the run beside them."""
    return common.Work(
        name,
        lambda out: words(out, beside(out, 'run')),
        lambda out: common.run_result(beside(out, 'run')),
        common.array_digests,
    )


@pytest.fixture(scope='module')
def half_done(works, tmp_path_factory):
    """Make a work that is half done, and its result; each is made once."""

    @cache
    def make(name: str) -> tuple[common.Work, Path, Any]:
        folder = tmp_path_factory.mktemp(name)
        half, log = folder / 'half', folder / 'log'
        if name.endswith('frames'):
            words = {'libmtl': common.libmtl_words, 'mmseg': common.mmseg_words}
            work = frames_work(name, words[name.partition('-')[0]])
            shutil.copytree(works.rooms, half)
            common.finish(work, half, log)
            return work, half, work.result(half)
        common.finish(works[name], folder / 'whole', log)
        stop_early(works[name], works.rooms, half, log)
        return works[name], half, works[name].result(folder / 'whole')

    return make


@pytest.mark.parametrize('kind', DAMAGES)
@pytest.mark.parametrize(('name', 'file'), [(name, file) for name in FILES for file in FILES[name]])
def test_end_is_as_undisturbed(name, file, kind, half_done):
    damage(*half_done(name), file, kind)
