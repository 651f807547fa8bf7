"""Damages files that a work goes on from: cut short, a bit flipped, emptied, replaced by noise.

Each time the end is that of the undisturbed run, at once or after doing what an error, which names
the file and has no traceback, says.

    python -m pytest tests/faults/corrupt_files.py -k 'libmtl or data'
"""

from __future__ import annotations

import random
import re
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
def half_done(rooms, works, tmp_path_factory):
    """Make a work that is half done, and its result; each is made once."""

    @cache
    def make(name):
        folder = tmp_path_factory.mktemp(name)
        half, log = folder / 'half', folder / 'log'
        if name.endswith('-frames'):  # a training on them, with the run beside them
            train = getattr(common, name.removesuffix('-frames'))

            def run_of(out):
                return out.with_name(f'{out.name}.run')

            work = common.Work(
                lambda out: train(out, run_of(out)), lambda out: common.result_of_run(run_of(out))
            )
            shutil.copytree(rooms, half)
            return work, half, work.finish(half, log)
        early = {
            'libmtl': common.libmtl(rooms, half, '--epochs', '2'),
            'mmseg': common.mmseg(rooms, half, epochs=2),
        }.get(name, works[name].command(half))
        assert common.run(early, log) == 0, common.tail(log)
        return works[name], half, works[name].finish(folder / 'whole', log)

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
        # Do as the error says.
        if 'back as it was' in said.lower():
            path.write_bytes(content)
        else:
            assert re.search('delete (it|damaged files)', said.lower()), common.tail(log)
            path.unlink()
        if name.endswith('frames'):
            common.render(out)
        work.finish(out, log)
    assert work.result(out) == expected, f'{path} changed the end, and nothing was said'
