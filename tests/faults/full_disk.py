"""Takes the room and then the right to write from every work, and gives both back.

Each time the error says what to do, no file is half-written, and after room was made the end is
that of the undisturbed run. The disk is a small file system in memory (tmpfs), which root may
mount; or anybody in a namespace:

    unshare -rm python -m pytest tests/faults/full_disk.py -k libmtl
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import partial

import pytest

from . import common

# Of the room that a work takes at its end; a checkpoint needs twice its own.
SHARES = {'libmtl': 1.5, 'mmseg': 1.5, 'data': 0.5, 'leaderboard': 0.8, 'report': 0.4}
ROOMY = 2**31


@pytest.fixture
def mount(tmp_path):
    """Mount `disk`, or change its options."""
    folder = tmp_path / 'disk'
    folder.mkdir()

    def mount(options):
        words = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    if not mount(f'size={ROOMY}'):
        pytest.skip('needs the right to mount: run as root, or by `unshare -rm`')
    yield mount
    subprocess.run(['umount', folder], check=True)


def expect_error(work, out, log, advice):
    log.unlink()
    status = common.run(work.command(out), log)
    plain = status and advice in log.read_text(errors='replace')
    assert plain, f'status {status} without `{advice}`: {common.tail(log)}'
    common.assert_whole(out)


def texts(out):
    return {path.name: path.read_text() for path in out.glob('*') if path.suffix != '.part'}


@pytest.mark.parametrize('name', SHARES)
def test_work_is_gone_on_with_when_there_is_room(name, rooms, works, tmp_path, mount):
    undisturbed, out, log = tmp_path / 'undisturbed', tmp_path / 'disk' / 'out', tmp_path / 'log'
    one_by_one = partial(common.board, rooms, workers=1)
    if name == 'report':
        works['leaderboard'].finish(tmp_path / 'board', log)
        report = partial(common.tool, 'leaderboard', 'report', tmp_path / 'board', '--out')
        work = common.Work(report, texts, texts, texts)
    else:
        work = replace(works[name], command=one_by_one) if name == 'leaderboard' else works[name]
    expected = work.finish(undisturbed, log)
    used = sum(path.stat().st_blocks * 512 for path in undisturbed.rglob('*'))
    assert mount(f'remount,size={max(2**14, int(SHARES[name] * used))}')
    expect_error(work, out, log, 'Make room')
    kept = work.finished(out)
    assert mount('remount,ro')
    expect_error(work, out, log, 'can be written to')
    assert mount(f'remount,rw,size={ROOMY}')
    assert work.finish(out, log) == expected
    work.assert_kept(out, kept)
