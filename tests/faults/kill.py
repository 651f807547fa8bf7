"""Kills works, and the processes that help them, and goes on with them.

Trainings, data preparation and leaderboards at random moments; a loader's worker, a worker of data
preparation or one of two ranks as soon as there is something to lose. At every moment all files are
whole under their own names, what was finished is kept, and the end is that of the undisturbed run:
figures, parameters and data, bit for bit.

    python -m pytest tests/faults/kill.py
    FAULTS_TIMES=5 FAULTS_SEED=1 python -m pytest tests/faults/kill.py -k mmseg
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from . import common

TIMES = int(os.environ.get('FAULTS_TIMES', 20))
SEED = int(os.environ.get('FAULTS_SEED', 0))
HELPERS = {
    'libmtl-loader': 'train_libmtl.py',
    'mmseg-loader': 'train_mmseg.py',
    'data-worker': 'prepare_data.py',
    'mmseg-rank': 'train_mmseg.py',
}
"""What the command of a process that helps has in it."""


def wait_for_work(process: subprocess.Popen, out: Path) -> None:
    """Wait until a process has written a file, or has ended."""
    begin = time.time_ns()
    while process.poll() is None and latest_change(out) < begin:
        time.sleep(0.01)


def latest_change(out: Path) -> int:
    times = [0]
    for path in out.rglob('*'):
        with suppress(OSError):  # renamed since
            times.append(path.stat().st_mtime_ns if path.is_file() else 0)
    return max(times)


def kill(work: common.Work, folder: Path, times: int) -> None:
    """Kill a work again and again.

    Every other moment is drawn uniformly from the start of the process on; the others from its
    first file on. They go up to half of the undisturbed run's duration, since one that is gone on
    with has less left. A run that ends before its moment is compared, and another one is begun.
    """
    log, undisturbed = folder / 'log', folder / 'undisturbed'
    process, begin = common.spawn(work.command(undisturbed), log), time.monotonic()
    wait_for_work(process, undisturbed)
    idle = time.monotonic() - begin
    assert process.wait(common.DEADLINE) == 0, f'{work.name}: {common.tail(log)}'
    working = time.monotonic() - begin - idle
    expected = work.result(undisturbed)
    generator = random.Random(SEED)
    killed = runs = 0
    while killed < times or not runs:
        out = folder / f'run-{runs}'
        kept: dict = {}
        while True:
            process = common.spawn(work.command(out), log)
            if killed % 2:
                wait_for_work(process, out)
            longest = working if killed % 2 else idle + working
            moment = generator.uniform(0, longest / 2) if killed < times else common.DEADLINE
            if not has_to_be_killed(process, moment):
                break
            killed += 1
            if work.name == 'leaderboard':
                time.sleep(0.5)  # its cells end with it
            common.assert_whole(out)
            lost = work.lost(out, kept)
            assert not lost, f'{out}: lost or done again: {lost}'
            kept = {**kept, **work.finished(out)}
        status = process.returncode
        assert status == 0, f'ended with {status} after {killed}: {common.tail(log)}'
        common.assert_whole(out)
        common.assert_undisturbed(work, out, kept, expected)
        runs += 1
    print(f'{killed} kills in {runs} runs of {idle:.1f} + {working:.1f} s')


def has_to_be_killed(process: subprocess.Popen, seconds: float) -> bool:
    """Kill a process after a while, unless it has ended by itself."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        assert seconds < common.DEADLINE, f'did not end in {seconds} s'
    return process.returncode == -signal.SIGKILL


def helpers_of(process: subprocess.Popen, mark: str) -> list[int]:
    """The running children of a process whose command has a mark in it, by Linux's own files."""
    helpers = []
    with suppress(OSError):  # one has ended since
        children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text()
        for child in children.split():
            command = Path(f'/proc/{child}/cmdline').read_text()
            if mark in command and 'resource_tracker' not in command:
                helpers.append(int(child))
    return helpers


def kill_helper(work: common.Work, folder: Path, mark: str) -> None:
    """Kill one of the helpers as soon as there is something to lose, then go on."""
    log, undisturbed, out = folder / 'log', folder / 'undisturbed', folder / 'disturbed'
    common.finish(work, undisturbed, log)
    process = common.spawn(work.command(out), log)
    killed = False
    while process.poll() is None and not killed:
        helpers = helpers_of(process, mark) if work.finished(out) else []
        if helpers:
            os.kill(random.Random(SEED).choice(helpers), signal.SIGKILL)
            killed = True
        time.sleep(0.005)
    assert killed, 'ended before a helper could be killed'
    status, said = process.wait(common.DEADLINE), log.read_text(errors='replace')
    assert status != 0, 'ended without an error'
    if 'rank' not in work.name:  # torchrun tells of ranks
        plain = 'Use fewer workers' in said and 'Traceback' not in said
        assert plain, f'no plain error: {common.tail(log)}'
    common.assert_whole(out)
    kept = work.finished(out)
    common.finish(work, out, log)
    common.assert_undisturbed(work, out, kept, work.result(undisturbed))


def rank_words(rooms: Path, out: Path) -> list[str]:
    """Two ranks on this machine, by torchrun."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    one = common.mmseg_words(rooms, out, '--launcher', 'pytorch')
    launch = ['-m', 'torch.distributed.run', '--nproc_per_node=2', f'--master_port={port}']
    return [one[0], *launch, *one[1:]]


@pytest.mark.parametrize('name', ['libmtl', 'mmseg', 'data', 'leaderboard'])
def test_work_is_gone_on_with(name, works, tmp_path):
    kill(works[name], tmp_path, TIMES)


@pytest.mark.parametrize('name', HELPERS)
def test_work_without_its_helper_is_gone_on_with(name, works, tmp_path):
    commands = {
        'libmtl-loader': lambda out: common.libmtl_words(works.rooms, out, '--workers', '2'),
        'mmseg-loader': lambda out: common.mmseg_words(works.rooms, out, workers=2),
        'mmseg-rank': lambda out: rank_words(works.rooms, out),
    }
    work = works['data']
    if name in commands:
        work = common.Work(name, commands[name], *common.OF_A_RUN)
    kill_helper(work, tmp_path, HELPERS[name])
