"""Damages files that a work goes on from: cut short, a bit flipped, emptied, replaced by noise.

Each time the end is that of the undisturbed run, at once or after doing what an error, which names
the file and has no traceback, says.

    python -m pytest tests/faults/corrupt_files.py -k 'libmtl or data'
"""

from __future__ import annotations

import random
import shutil
from functools import cache
from pathlib import Path

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
# What an error says, and what is then done.
REMEDIES = {
    'delete it': lambda path, content: path.unlink(),
    'delete damaged files': lambda path, content: path.unlink(),
    'back as it was': lambda path, content: path.write_bytes(content),
}


def flip(content):
    """Flip a bit that is noticed: one that no text has, or the exponent of an array's number."""
    array = content[:6] == b'\x93NUMPY'
    place = len(content) - 1 if array else len(content) // 2
    changed = content[place] | 0xFF if array else content[place] ^ 0x80
    return content[:place] + bytes([changed]) + content[place + 1 :]


DAMAGES = {
    'truncated': lambda content: content[: len(content) // 2],
    'flipped': flip,
    'empty': lambda content: b'',
    'noise': lambda content: random.Random(0).randbytes(len(content)),
}


@pytest.fixture(scope='module')
def half_done(works, tmp_path_factory):
    """Make a work that is half done, and its result; each is made once."""

    @cache
    def make(name):
        folder, rooms = tmp_path_factory.mktemp(name), works.rooms
        half, log = folder / 'half', folder / 'log'
        kind, _, frames = name.partition('-')
        if frames:  # a training on frames that may be damaged, with the run beside them
            words = {'libmtl': common.libmtl_words, 'mmseg': common.mmseg_words}[kind]
            work = common.Work(
                name,
                lambda out: words(out, out.with_name(f'{out.name}.run')),
                lambda out: common.run_result(out.with_name(f'{out.name}.run')),
                common.digests,
            )
            shutil.copytree(rooms, half)
            return work, half, work.finish(half, log)
        early = {
            'libmtl': common.libmtl_words(rooms, half, '--epochs', '2'),
            'mmseg': common.mmseg_words(rooms, half, epochs=2),
        }
        expected = works[name].finish(folder / 'whole', log)
        assert common.run(early.get(name, works[name].command(half)), log) == 0, common.tail(log)
        return works[name], half, expected

    return make


@pytest.mark.parametrize('kind', DAMAGES)
@pytest.mark.parametrize(('name', 'file'), [(name, file) for name in FILES for file in FILES[name]])
def test_end_is_as_undisturbed(name, file, kind, half_done):
    work, half, expected = half_done(name)
    out = half.with_name(f'{half.name}-{Path(file).name}-{kind}')
    shutil.copytree(half, out)
    path, log = out / file, out.with_name(f'{out.name}.log')
    content = path.read_bytes()
    path.write_bytes(DAMAGES[kind](content))
    if status := common.run(work.command(out), log):
        said = log.read_text(errors='replace')
        plain = str(path) in said and 'Traceback' not in said
        assert plain, f'status {status} and no plain error: {common.tail(log)}'
        advice = next((advice for advice in REMEDIES if advice in said.lower()), None)
        assert advice is not None, f'no advice in the error: {common.tail(log)}'
        REMEDIES[advice](path, content)
        if name.endswith('frames'):
            common.render(out)
        work.finish(out, log)
    assert work.result(out) == expected, f'{path} changed the end, and nothing was said'
