"""Kills a process that helps: a loader's worker, a worker of data preparation, one of two ranks.

The work ends with an error that says what to do, nothing is half-written, and going on ends as the
undisturbed run.

    python tests/faults/kill_worker.py
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

if __package__:
    from . import common
else:  # started as a script
    import common

HELPERS = {
    'libmtl-loader': 'train_libmtl.py',
    'mmseg-loader': 'train_mmseg.py',
    'data-worker': 'prepare_data.py',
    'mmseg-rank': 'train_mmseg.py',
}
"""What the command of a process that helps has in it."""


def helpers_of(process: subprocess.Popen, mark: str) -> list[int]:
    """The running children of a process whose command has a mark in it, youngest last."""
    found = subprocess.run(
        ['ps', '-o', 'pid=,args=', '--ppid', str(process.pid)], capture_output=True, text=True
    )
    lines = (line.strip().partition(' ') for line in found.stdout.splitlines())
    return [int(pid) for pid, _, args in lines if mark in args and 'resource_tracker' not in args]


def kill(work: common.Work, folder: Path, mark: str, seed: int) -> str:
    """Kill one of the helpers as soon as there is something to lose, then go on."""
    folder.mkdir()
    log, undisturbed, out = folder / 'log', folder / 'undisturbed', folder / 'disturbed'
    common.finish(work, undisturbed, log)
    process = common.spawn(work.command(out), log)
    generator = random.Random(seed)
    killed = False
    while process.poll() is None and not killed:
        helpers = helpers_of(process, mark) if work.finished(out) else []
        if helpers:
            os.kill(generator.choice(helpers), signal.SIGKILL)
            killed = True
        time.sleep(0.005)
    common.require(killed, 'ended before a helper could be killed')
    status, said = process.wait(common.DEADLINE), log.read_text(errors='replace')
    common.require(status != 0, 'ended without an error')
    if 'rank' not in work.name:  # torchrun tells of ranks
        told = 'Use fewer workers' in said and 'Traceback' not in said
        common.require(told, f'no plain error: {common.tail(log)}')
    broken = common.find_broken(out)
    common.require(not broken, f'half-written: {", ".join(broken)}')
    kept = work.finished(out)
    common.finish(work, out, log)
    lost = work.lost(out, kept)
    common.require(not lost, f'lost or done again: {lost}')
    common.require(work.result(out) == work.result(undisturbed), f'{out} is not as undisturbed')
    return f'ended with {status}, {len(kept)} finished before, then as undisturbed'


def rank_words(rooms: Path, out: Path) -> list[str]:
    """Two ranks on this machine, by torchrun."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    one = common.mmseg_words(rooms, out, '--launcher', 'pytorch')
    launch = ['-m', 'torch.distributed.run', '--nproc_per_node=2', f'--master_port={port}']
    return [one[0], *launch, *one[1:]]


def make_works(rooms: Path) -> dict[str, common.Work]:
    works = common.make_works(rooms)
    run = common.OF_A_RUN
    libmtl = partial(common.libmtl_words, rooms)
    return {
        'libmtl-loader': common.Work(
            'libmtl-loader', lambda out: [*libmtl(out), '--workers', '2'], *run
        ),
        'mmseg-loader': common.Work(
            'mmseg-loader', lambda out: common.mmseg_words(rooms, out, workers=2), *run
        ),
        'data-worker': works['data'],
        'mmseg-rank': common.Work('mmseg-rank', partial(rank_words, rooms), *run),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = common.build_parser(__doc__ or '', tuple(HELPERS)).parse_args(arguments)
    common.require(shutil.which('ps') is not None, 'ps should be installed')
    with common.folder_for(options) as folder:
        works = make_works(folder / 'rooms')
        cases = {
            name: partial(kill, works[name], folder / name, HELPERS[name], options.seed)
            for name in options.only
        }
        return common.judge(cases)


if __name__ == '__main__':
    sys.exit(main())
