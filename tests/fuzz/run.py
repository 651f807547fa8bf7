"""Feeds readers with anything for as long as there is time, and prints what made them fail.

Each reader has a process of its own, which hypothesis feeds and which ends at a finding. Findings
are kept in `.hypothesis/fuzz`: they are the first inputs of the next run.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST = 'tests/fuzz/test_fuzz.py::test_reads_or_refuses'
COMMAND = [sys.executable, '-m', 'pytest', '-q', '-rs', '-s', '-p', 'no:cacheprovider']
MEMORY = 8 * 2**30
MARGIN = 900  # seconds beyond the given ones, for imports and for making a finding smaller


def main() -> int:
    """The command line; its status is 1 if anything was found."""
    sys.path.insert(0, str(ROOT))
    from tests.fuzz.test_fuzz import READERS

    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('readers', nargs='*', metavar='READER', help=f'of {", ".join(READERS)} (all)')
    add('--minutes', type=float, default=10, help='for each reader (10)')
    add('--jobs', type=int, default=os.cpu_count(), help='readers at a time (one a core)')
    options = parser.parse_args()
    names = options.readers or list(READERS)
    if unknown := {*names} - {*READERS}:
        parser.error(f'no reader {", ".join(unknown)}: choose from {", ".join(READERS)}')
    with ThreadPoolExecutor(options.jobs) as pool:
        failures = list(pool.map(partial(feed, seconds=options.minutes * 60), names))
    print(f'{sum(map(bool, failures))} of {len(names)} readers failed')
    return int(any(failures))


def feed(name: str, seconds: float) -> str:
    """Feed a reader in a process of its own; prints and returns findings, hangs and crashes."""
    with tempfile.TemporaryDirectory() as scratch:
        last = Path(scratch, 'input')
        names = {'TMPDIR': scratch, 'FUZZ_INPUT': str(last), 'FUZZ_SECONDS': str(seconds)}
        try:
            done = subprocess.run(
                [*COMMAND, f'{TEST}[{name}]'], cwd=ROOT, env={**os.environ, **names}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + MARGIN,
                preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY, MEMORY)),
            )  # fmt: skip
            status, text = done.returncode, done.stdout
        except subprocess.TimeoutExpired as error:
            status, text = 'none: it hangs', (error.stdout or b'').decode(errors='replace')
        value = last.read_text() if last.exists() else 'none'
    failure = f'{text[-5000:]}\n{name}: status {status}. The last input: {value}' if status else ''
    print(failure or text.strip(), flush=True)
    return failure


if __name__ == '__main__':
    sys.exit(main())
