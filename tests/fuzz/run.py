"""Feeds readers with anything for as long as there is time, and prints what made them fail.

Each reader has a process of its own. Inputs are hypothesis's; atheris, if it is asked for, guides
them by the coverage of this package's code, at a fraction of the pace.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
MEMORY = 16 * 2**30
EXAMPLE = """examples:
  python tests/fuzz/run.py --minutes 10
  python tests/fuzz/run.py --minutes 1 store plan_file --engine atheris"""


def main() -> int:
    """The command line; its status is 1 if anything was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('targets', nargs='*', metavar='TARGET', help='readers (all); `list` names them')
    add('--minutes', type=float, default=10, help='for each reader (10)')
    add('--engine', choices=('hypothesis', 'atheris'), default='hypothesis', help='(hypothesis)')
    add('--child', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    from tests.fuzz.table import TARGETS

    if options.targets == ['list']:
        print(*TARGETS, sep='\n')
        return 0
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f'no reader {unknown[0]}: choose from {", ".join(TARGETS)}')
    engine = options.engine
    if options.child:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        _feed(options.targets[0], options.minutes * 60, engine)
        return 0
    return _run_all(options.targets or list(TARGETS), options.minutes, engine)


def _run_all(names: list[str], minutes: float, engine: str) -> int:
    from tqdm import tqdm

    from tests.fuzz.table import TARGETS

    found = 0
    with tqdm(total=round(len(names) * minutes * 60), unit=' s') as bar:
        for name in names:
            bar.set_description(name)
            absent = [module for module in TARGETS[name].needs if not _installed(module)]
            if absent:
                bar.write(f'{name}: left out, {absent[0]} is not installed')
                bar.update(round(minutes * 60))
                continue
            status, text = _run_child(name, minutes, engine, bar)
            found += status != 0
            bar.write(f'{name}: {text}')
    print(f'{found} of {len(names)} readers failed' if found else 'no finding')
    return int(found > 0)


def _run_child(name: str, minutes: float, engine: str, bar: Any) -> tuple[int, str]:
    command = [sys.executable, __file__, name, '--child', '--minutes', str(minutes)]
    begin = time.monotonic()
    shown = 0
    child = subprocess.Popen(
        [*command, '--engine', engine],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    while child.poll() is None:
        time.sleep(0.2)
        passed = time.monotonic() - begin
        step = min(round(passed), round(minutes * 60)) - shown
        shown += step
        bar.update(step)
        if passed > minutes * 60 + 300:
            child.kill()
            return 1, 'stopped: it does not come back'
    bar.update(round(minutes * 60) - shown)
    assert child.stdout is not None
    text = child.stdout.read().strip() or f'ended with status {child.returncode}'
    return int(child.returncode != 0 or 'FINDING' in text), text


def _feed(name: str, seconds: float, engine: str) -> None:
    """Runs one reader; prints a summary and every distinct finding with its smallest input."""
    import torch
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    from tests.fuzz.table import TARGETS

    torch.set_num_threads(1)
    target = TARGETS[name]
    counts: Counter[str] = Counter()
    findings: dict[str, tuple[str, str]] = {}
    end = time.monotonic() + seconds

    def attempt(value: Any) -> None:
        if time.monotonic() > end:
            return
        try:
            counts[target.run(value)] += 1
        except Exception as error:
            counts['failed'] += 1
            shown = repr(value)
            known = findings.get(key := _place(error))
            if known is None or len(shown) < len(known[0]):
                findings[key] = shown, f'{type(error).__name__}: {error}'

    def build_feed(examples: int) -> Any:
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def feed(data: Any) -> None:
            attempt(data.draw(target.inputs))

        return feed

    feed = build_feed(500)

    def report() -> None:
        total = ', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))
        print(f'{seconds / 60:g} min by {engine}: {total}')
        for key, (shown, error) in findings.items():
            print(f'FINDING in {key}\n  {error[:500]}\n  {_reproducer(name, shown)}')
        sys.stdout.flush()

    if engine == 'hypothesis':
        while time.monotonic() < end:
            seed(random.randrange(2**32))(feed)()
        report()
        return
    import atheris

    def one(content: bytes) -> None:
        feed.hypothesis.fuzz_one_input(content)
        if time.monotonic() > end:
            # libFuzzer would end by itself in a way that leaves no word about what was found.
            report()
            sys.stdout.flush()
            _exit()

    build_feed(20)()  # a target imports its reader when it runs first
    _instrument(atheris)
    atheris.Setup([sys.argv[0], '-rss_limit_mb=0', f'-seed={random.randrange(2**31)}'], one)
    atheris.Fuzz()


def _instrument(atheris: Any) -> None:
    """Lets every function of this package's own modules report where it has been."""
    import types

    import go4align_plugins

    root = str(Path(go4align_plugins.__file__).parent)
    modules = [m for key, m in sys.modules.items() if key.startswith('go4align_plugins.')]
    own = [
        member
        for module in modules
        for member in vars(module).values()
        if isinstance(member, type) and member.__module__.startswith('go4align_plugins.')
    ]
    for holder in (*modules, *dict.fromkeys(own)):
        for key, member in list(vars(holder).items()):
            if isinstance(member, types.FunctionType) and member.__code__.co_filename.startswith(
                root
            ):
                setattr(holder, key, atheris.instrument_func(member))


def _exit() -> None:
    import os

    os._exit(0)


def _place(error: Exception) -> str:
    """Where an error arose, without what differs from input to input."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if 'go4align_plugins' in frame.filename] or frames
    last = own[-1]
    return f'{type(error).__name__} at {re.sub(r".*/", "", last.filename)}:{last.lineno}'


def _reproducer(name: str, shown: str) -> str:
    code = (
        'from math import inf, nan; from tests.fuzz.table import TARGETS; '
        f'TARGETS[{name!r}].run({shown})'
    )
    return f'python - <<"END"\n{code}\nEND'


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


if __name__ == '__main__':
    sys.exit(main())
