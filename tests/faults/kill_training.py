"""Kills trainings, data preparation and leaderboards at random moments, and goes on with them.

At every moment all files are whole under their own names, what was finished is kept, and the end is
that of the undisturbed run: figures, parameters and data, bit for bit.

    python tests/faults/kill_training.py                  # 20 times each: a quarter of an hour
    python tests/faults/kill_training.py --only mmseg --times 5 --seed 1
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

if __package__:
    from . import common
else:  # started as a script
    import common

NAMES = ('libmtl', 'mmseg', 'data', 'leaderboard')


def measure(work: common.Work, out: Path, log: Path) -> tuple[float, float]:
    """The seconds until an undisturbed run begins to write, and from then to its end."""
    process = common.Forked(work.command(out), log)
    begin = time.monotonic()
    wait_for_work(process, out)
    working = time.monotonic()
    common.require(process.wait(common.DEADLINE) == 0, f'{work.name}: {common.tail(log)}')
    return working - begin, time.monotonic() - working


def wait_for_work(process: common.Forked, out: Path) -> None:
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


def kill(work: common.Work, folder: Path, times: int, seed: int) -> str:
    """Kill a work again and again.

    Every other moment is drawn uniformly from the start of the process on; the others from its
    first file on. They go up to half of the undisturbed run's duration, since one that is gone on
    with has less left. A run that ends before its moment is compared, and another one is begun.
    """
    folder.mkdir()
    log, undisturbed = folder / 'log', folder / 'undisturbed'
    idle, working = measure(work, undisturbed, log)
    expected = work.result(undisturbed)
    generator = random.Random(seed)
    killed = runs = 0
    with common.tqdm(total=times, desc=work.name, unit='kill', disable=None) as bar:
        while killed < times or not runs:
            out = folder / f'run-{runs}'
            kept: dict = {}
            while True:
                process = common.Forked(work.command(out), log)
                if killed % 2:
                    wait_for_work(process, out)
                longest = working if killed % 2 else idle + working
                moment = generator.uniform(0, longest / 2) if killed < times else common.DEADLINE
                if not wait(process, moment):
                    break
                killed += 1
                bar.update()
                kept = inspect(work, out, kept)
            status = process.returncode
            common.require(status == 0, f'ended with {status} after {killed}: {common.tail(log)}')
            inspect(work, out, kept)
            same = work.result(out) == expected
            common.require(same, f'{out} is not as undisturbed, after {killed} kills')
            runs += 1
    return f'{killed} kills in {runs} runs of {idle:.1f} + {working:.1f} s'


def wait(process: common.Forked, seconds: float) -> bool:
    """Whether a process had to be killed, since it had not ended by itself."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        if seconds == common.DEADLINE:
            raise common.Fault(f'did not end in {seconds} s') from None
    return process.returncode == -signal.SIGKILL


def inspect(work: common.Work, out: Path, before: dict) -> dict:
    """What is finished now: all that was finished before is, and nothing is broken."""
    if work.name == 'leaderboard':
        time.sleep(0.5)  # its cells end with it
    broken = common.find_broken(out)
    common.require(not broken, f'half-written: {", ".join(broken)}')
    lost = work.lost(out, before)
    common.require(not lost, f'{out}: lost or done again: {lost}')
    return {**before, **work.finished(out)}


def main(arguments: Sequence[str] | None = None) -> int:
    options = common.build_parser(__doc__ or '', NAMES, 20).parse_args(arguments)
    with common.folder_for(options) as folder:
        works = common.make_works(folder / 'rooms')
        cases: dict[str, Callable[[], str]] = {
            name: partial(kill, works[name], folder / name, options.times, options.seed)
            for name in options.only
        }
        return common.judge(cases)


if __name__ == '__main__':
    sys.exit(main())
