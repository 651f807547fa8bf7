"""Kills works, and the processes that help them, and goes on with them.

Trainings, data preparation and leaderboards at random moments; a loader's worker, a worker of data
preparation or one of two ranks as soon as there is something to lose. At every moment all files are
whole under their own names, what was finished is kept, and the end is that of the undisturbed run:
figures, parameters and data, bit for bit.

    FAULTS_TIMES=5 FAULTS_SEED=1 python -m pytest tests/faults/kill.py -k mmseg
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from . import common

TIMES = int(os.environ.get('FAULTS_TIMES', 20))
SEED = int(os.environ.get('FAULTS_SEED', 0))


def wait_for_work(process, out):
    """Wait until a process has written a file, or has ended."""
    begin = time.time_ns()
    while process.poll() is None:
        with suppress(OSError):  # renamed since
            files = (path for path in out.rglob('*') if path.is_file())
            if any(path.stat().st_mtime_ns >= begin for path in files):
                break
        time.sleep(0.01)


def kill(work, folder, times):
    """Kill a work again and again.

    Every other moment is drawn uniformly from the start of the process on; the others from its
    first file on. They go up to half of the undisturbed run's duration, since one that is gone on
    with has less left. A run that ends before its moment is compared, and another one is begun.
    """
    log, undisturbed = folder / 'log', folder / 'undisturbed'
    process, begin = common.spawn(work.command(undisturbed), log), time.monotonic()
    wait_for_work(process, undisturbed)
    idle = time.monotonic() - begin
    assert process.wait(common.DEADLINE) == 0, common.tail(log)
    working = time.monotonic() - begin - idle
    expected, generator = work.result(undisturbed), random.Random(SEED)
    killed = runs = 0
    while killed < times or not runs:
        out, kept, status = folder / f'run-{runs}', {}, None
        while status != 0:
            process = common.spawn(work.command(out), log)
            if killed % 2:
                wait_for_work(process, out)
            longest = working if killed % 2 else idle + working
            moment = generator.uniform(0, longest / 2) if killed < times else common.DEADLINE
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()  # unless it has ended by itself
            status = process.wait()
            assert status in (0, -signal.SIGKILL), f'ended with {status}: {common.tail(log)}'
            if status:
                assert killed < times, f'did not end in {moment} s'
                killed += 1
                time.sleep(0.5)  # a leaderboard's cells end with it
            work.assert_kept(out, kept)
            kept.update(work.finished(out))
        assert work.result(out) == expected, f'{out} is not as undisturbed'
        runs += 1
    print(f'{killed} kills in {runs} runs of {idle:.1f} + {working:.1f} s')


def helpers_of(process, mark):
    """The running children of a process whose command has a mark in it, by Linux's own files."""
    helpers = []
    with suppress(OSError):  # one has ended since
        children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text()
        for child in children.split():
            command = Path(f'/proc/{child}/cmdline').read_text()
            if mark in command and 'resource_tracker' not in command:
                helpers.append(int(child))
    return helpers


def two_ranks(rooms, out):
    """Two ranks on this machine, by torchrun."""
    python, *words = common.mmseg(rooms, out, '--launcher', 'pytorch')
    return [python, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', *words]


# The script that has helpers, and its command if it is not the work's own.
HELPED = {
    'libmtl-loader': ('train_libmtl', lambda *places: common.libmtl(*places, '--workers', 2)),
    'mmseg-loader': ('train_mmseg', lambda *places: common.mmseg(*places, workers=2)),
    'mmseg-rank': ('train_mmseg', two_ranks),
    'data-worker': ('prepare_data', None),
}


@pytest.mark.parametrize('name', ['libmtl', 'mmseg', 'data', 'leaderboard'])
def test_work_is_gone_on_with(name, works, tmp_path):
    kill(works[name], tmp_path, TIMES)


@pytest.mark.parametrize('name', HELPED)
def test_work_without_its_helper_is_gone_on_with(name, rooms, works, tmp_path):
    log, out = tmp_path / 'log', tmp_path / 'disturbed'
    script, command = HELPED[name]
    work = common.Work(partial(command, rooms)) if command else works['data']
    expected = work.finish(tmp_path / 'undisturbed', log)
    process, helpers = common.spawn(work.command(out), log), []
    while process.poll() is None and not helpers:
        helpers = helpers_of(process, f'{script}.py') if work.finished(out) else []
        time.sleep(0.005)
    assert helpers, 'ended before a helper could be killed'
    os.kill(random.Random(SEED).choice(helpers), signal.SIGKILL)
    assert process.wait(common.DEADLINE) != 0, 'ended without an error'
    said = log.read_text(errors='replace')
    plain = 'Use fewer workers' in said and 'Traceback' not in said
    assert plain or 'rank' in name, f'no plain error: {common.tail(log)}'  # ranks are torchrun's
    common.assert_whole(out)
    kept = work.finished(out)
    assert work.finish(out, log) == expected
    work.assert_kept(out, kept)
