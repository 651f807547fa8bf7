"""Feeds readers with anything for as long as there is time, and prints what made them fail.

Each reader has a process of its own. Inputs are hypothesis's; atheris, if it is asked for, guides
them by the coverage of this package's code, at a fraction of the pace. What was found is kept in
`.hypothesis/fuzz`, and is what a reader is fed with first in the next run; so are the inputs by
which atheris reached new code.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
COMMAND = [sys.executable, '-m', 'tests.fuzz.feed']
KEPT = ROOT / '.hypothesis' / 'fuzz'
PERIOD = 0.2  # seconds between two looks at a process
EXAMPLE = """examples:
  python tests/fuzz/run.py --minutes 10 --jobs 4
  python tests/fuzz/run.py --minutes 1 store plan_file --engine atheris"""


def main() -> int:
    """The command line; its status is 1 if anything was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('targets', nargs='*', metavar='TARGET', help='readers (all); `list` names them')
    add('--minutes', type=float, default=10, help='for each reader (10)')
    add('--jobs', type=int, default=os.cpu_count(), help='readers at a time (one a core)')
    add('--engine', choices=('hypothesis', 'atheris'), default='hypothesis', help='(hypothesis)')
    options = parser.parse_args()
    from tests.fuzz.table import TARGETS

    if options.targets == ['list']:
        print(*TARGETS, sep='\n')
        return 0
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f'no reader {unknown[0]}: choose from {", ".join(TARGETS)}')
    KEPT.mkdir(parents=True, exist_ok=True)
    names = options.targets or list(TARGETS)
    return _run_all(names, options.minutes * 60, options.engine, options.jobs)


def _run_all(names: list[str], seconds: float, engine: str, jobs: int) -> int:
    from tqdm import tqdm

    found = 0
    with (
        tqdm(total=round(len(names) * seconds), unit=' s') as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        waiting = [pool.submit(_run_one, name, seconds, engine, bar) for name in names]
        try:
            for done in as_completed(waiting):
                status, text = done.result()
                found += status
                bar.write(text)
        except BaseException:
            # Those that run are interrupted as this process is; no other one begins.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    print(f'{found} of {len(names)} readers failed' if found else 'no finding')
    return int(found > 0)


def _run_one(name: str, seconds: float, engine: str, bar: Any) -> tuple[int, str]:
    from tests.fuzz.table import TARGETS

    bar.set_description(name)
    absent = [module for module in TARGETS[name].needs if not _installed(module)]
    if absent:
        bar.update(round(seconds))
        return 0, f'{name}: left out, {absent[0]} is not installed'
    status, text = _run_child(name, seconds, engine, bar)
    return status, f'{name}: {text}'


def _run_child(name: str, seconds: float, engine: str, bar: Any) -> tuple[int, str]:
    """Runs one reader under watch: an input that hangs or ends its process is a finding, too."""
    from tests.fuzz.feed import reproducer

    with tempfile.TemporaryDirectory(dir=_fast_folder()) as scratch:
        current, out, log = (Path(scratch, each) for each in ('input', 'out', 'log'))
        kept = KEPT / f'{name}.txt'
        # Into files: a process that fills a pipe waits for its reader.
        with out.open('wb') as output, log.open('wb') as errors:
            child = subprocess.Popen(
                [*COMMAND, name, str(seconds), engine, str(current), str(kept)],
                stdout=output,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, 'TMPDIR': scratch},
            )
            status = _watch(child, current, seconds, bar)
        text = out.read_text(errors='replace').strip()
        if status is not None:
            value = current.read_text() if current.exists() else None
            end = '\n    '.join(log.read_text(errors='replace').splitlines()[-8:])
            text += f'\nFINDING: {status}\n    {end}\n  {reproducer(name, value)}'
            if value is not None:
                with kept.open('a') as file:
                    file.write(f'{value}\n')
    return int('FINDING' in text), text.strip()


def _watch(child: subprocess.Popen[bytes], current: Path, seconds: float, bar: Any) -> str | None:
    """Waits for a reader's process: None if it ended well, or how it did not."""
    from tests.fuzz.target import SECONDS

    begin = time.monotonic()
    shown, looks, last = 0, 0, None
    while child.poll() is None:
        time.sleep(PERIOD)
        step = min(round(time.monotonic() - begin), round(seconds)) - shown
        shown += step
        bar.update(step)
        now = current.stat().st_mtime_ns if current.exists() else None
        # Looks and no clock: all of this may be stopped, and go on later.
        looks = 0 if now != last or _is_stopped(child.pid) else looks + 1
        last = now
        # Where Python itself can interrupt a reader, its process finds it to hang, and goes on.
        if looks * PERIOD > 3 * SECONDS:
            child.kill()
            child.wait()
            return f'it hangs: no answer within {3 * SECONDS} s'
    bar.update(round(seconds) - shown)
    return f'its process ended with status {child.returncode}' if child.returncode else None


def _is_stopped(process: int) -> bool:
    status = Path(f'/proc/{process}/stat')
    return status.exists() and status.read_text().rpartition(')')[2].split()[0] == 'T'


def _fast_folder() -> str | None:
    """A folder in memory, where there is one: readers are fed with thousands of small files."""
    return '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


if __name__ == '__main__':
    sys.exit(main())
