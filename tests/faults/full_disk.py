"""Takes the room and then the right to write from every work, and gives both back.

Each time the error says what to do, no file is half-written, and after room was made the end is
that of the undisturbed run. As root a small file system in memory (tmpfs) is filled; else the size
of each file is limited to less than the largest one's.

    python -m pytest tests/faults/full_disk.py -k libmtl
"""

from __future__ import annotations

import os
import resource
import subprocess
from dataclasses import replace
from functools import partial

import pytest

from . import common

# Of the room that a work takes at its end; a checkpoint needs twice its own.
SHARES = {'libmtl': 1.5, 'mmseg': 1.5, 'data': 0.5, 'leaderboard': 0.8, 'report': 0.4}
ROOMY = 2**31


class Disk:
    """A folder with little room: in a file system of its own, or else with limits for each file."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.mounted = os.geteuid() == 0 and self.mount('-t', 'tmpfs')
        # Root may write all the same where there is no file system to freeze.
        self.freezes = self.mounted or os.geteuid() != 0

    def mount(self, *options):
        words = ['mount', *options, 'tmpfs', str(self.folder)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def allow(self, writing):
        """Let everything be written to, or nothing."""
        for path in (self.folder, *self.folder.rglob('*')):
            path.chmod((0o755 if writing else 0o555) - (0 if path.is_dir() else 0o111))

    def limit(self, whole, largest):
        """Limit the room, or the size of a file; returns options for processes."""
        if self.mounted:
            assert self.mount('-o', f'remount,rw,size={whole}')
            return {}
        self.allow(writing=True)
        size = (min(largest, ROOMY),) * 2
        return {'preexec_fn': partial(resource.setrlimit, resource.RLIMIT_FSIZE, size)}

    def freeze(self):
        if self.mounted:
            assert self.mount('-o', 'remount,ro')
        else:
            self.allow(writing=False)

    def close(self):
        if self.mounted:
            subprocess.run(['umount', str(self.folder)], check=False)
        else:
            self.allow(writing=True)


def fill(work, folder):
    undisturbed, log = folder / 'undisturbed', folder / 'log'
    expected = work.finish(undisturbed, log)
    used = sum(path.stat().st_blocks * 512 for path in undisturbed.rglob('*'))
    largest = max(path.stat().st_size for path in undisturbed.rglob('*'))
    disk = Disk(folder / 'disk')
    out = disk.folder / 'out'
    try:
        options = disk.limit(max(2**14, int(SHARES[work.name] * used)), largest - 1)
        expect_error(work, out, log, 'Make room', **options)
        kept = work.finished(out)
        if disk.freezes:
            disk.freeze()
            expect_error(work, out, log, 'can be written to')
        disk.limit(ROOMY, ROOMY)
        assert work.finish(out, log) == expected
        work.assert_kept(out, kept)
    finally:
        disk.close()


def expect_error(work, out, log, advice, **options):
    log.unlink()  # what is said is limited, too
    status = common.run(work.command(out), log, **options)
    plain = status and advice in log.read_text(errors='replace')
    assert plain, f'status {status} without `{advice}`: {common.tail(log)}'
    common.assert_whole(out)


def texts(out):
    return {path.name: path.read_text() for path in out.glob('*') if path.suffix != '.part'}


@pytest.mark.parametrize('name', SHARES)
def test_work_is_gone_on_with_when_there_is_room(name, works, tmp_path):
    one_by_one = partial(common.board_words, works.rooms, workers=1)
    board = replace(works['leaderboard'], command=one_by_one)
    if name == 'report':
        board.finish(tmp_path / 'board', tmp_path / 'log')
        words = partial(common.tool, 'leaderboard', 'report', tmp_path / 'board', '--out')
        fill(common.Work('report', words, texts, texts), tmp_path)
    else:
        fill(board if name == 'leaderboard' else works[name], tmp_path)
