"""Takes the room and then the right to write from every work, and gives both back.

Each time the error says what to do, no file is half-written, and after room was made the end is
that of the undisturbed run. As root a small file system in memory (tmpfs) is filled; else the size
of each file is limited to less than the largest one's.

    python -m pytest tests/faults/full_disk.py
    python -m pytest tests/faults/full_disk.py -k libmtl
"""

from __future__ import annotations

import os
import resource
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from . import common

SHARES = {'libmtl': 1.5, 'mmseg': 1.5, 'data': 0.5, 'leaderboard': 0.8, 'report': 0.4}
"""Of the room that a work takes at its end; a checkpoint needs twice its own."""
ROOMY = 2**31


class Tmpfs:
    """A file system in memory, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount('tmpfs', '-t', 'tmpfs')

    def limit(self, whole: int, largest: int) -> dict[str, Any]:
        self._mount('tmpfs', '-o', f'remount,rw,size={whole}')
        return {}

    def freeze(self) -> None:
        self._mount('tmpfs', '-o', 'remount,ro')

    def close(self) -> None:
        subprocess.run(['umount', str(self.folder)], check=False)

    def _mount(self, kind: str, *options: str) -> None:
        subprocess.run(['mount', *options, kind, str(self.folder)], check=True, capture_output=True)


class Limits:
    """A folder without a file system of its own: the size of each file is limited instead."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def limit(self, whole: int, largest: int) -> dict[str, Any]:
        for path in (self.folder, *self.folder.rglob('*')):
            path.chmod(0o755 if path.is_dir() else 0o644)
        size = min(largest, ROOMY)
        return {'preexec_fn': lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}

    def freeze(self) -> None:
        for path in (*self.folder.rglob('*'), self.folder):
            path.chmod(0o555 if path.is_dir() else 0o444)

    def close(self) -> None:
        self.limit(ROOMY, ROOMY)


def make_disk(folder: Path) -> Tmpfs | Limits:
    if os.geteuid() == 0:
        try:
            return Tmpfs(folder)
        except subprocess.CalledProcessError:  # a container without the right to mount
            folder.rmdir()
    return Limits(folder)


def fill(work: common.Work, folder: Path) -> None:
    undisturbed, log = folder / 'undisturbed', folder / 'log'
    common.finish(work, undisturbed, log)
    used = sum(path.stat().st_blocks * 512 for path in undisturbed.rglob('*'))
    largest = max(path.stat().st_size for path in undisturbed.rglob('*'))
    disk = make_disk(folder / 'disk')
    out = disk.folder / 'out'
    try:
        options = disk.limit(max(2**14, int(SHARES[work.name] * used)), largest - 1)
        expect_error(work, out, log, 'Make room', **options)
        kept = work.finished(out)
        if isinstance(disk, Tmpfs) or os.geteuid() != 0:  # else root may write all the same
            disk.freeze()
            expect_error(work, out, log, 'can be written to')
        disk.limit(ROOMY, ROOMY)
        common.finish(work, out, log)
        common.assert_undisturbed(work, out, kept, work.result(undisturbed))
    finally:
        disk.close()


def expect_error(work: common.Work, out: Path, log: Path, advice: str, **options: Any) -> None:
    log.unlink()  # what is said is limited, too
    status = common.run(work.command(out), log, **options)
    said, found = log.read_text(errors='replace'), common.tail(log)
    assert status not in (0, None), f'no error where `{advice}` was due: {found}'
    assert advice in said, f'status {status} without `{advice}`: {found}'
    common.assert_whole(out)


@pytest.mark.parametrize('name', SHARES)
def test_work_is_gone_on_with_when_there_is_room(name, works, tmp_path):
    one_by_one = partial(common.board_words, works.rooms, workers=1)
    board = replace(works['leaderboard'], command=one_by_one)
    if name == 'report':
        common.finish(board, tmp_path / 'board', tmp_path / 'log')
        words = partial(common.tool, 'leaderboard', 'report', tmp_path / 'board', '--out')
        fill(common.Work('report', words, texts, texts), tmp_path)
    else:
        fill(board if name == 'leaderboard' else works[name], tmp_path)


def texts(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.glob('*') if path.suffix != '.part'}
