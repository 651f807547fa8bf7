"""One reader's process, which `run.py` starts: NAME SECONDS ENGINE, and the files of its inputs.

The input at hand is in the first file, so that it is known even if it ends this process; those that
were found before are in the second, one a line, and come first.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from math import inf, nan
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.table import TARGETS
from tests.fuzz.target import Hang, Target

MEMORY = 8 * 2**30


class Feeder:
    """Feeds a target until the time is over, and counts what came of it.

    Args:
        name: the target's.
        seconds: how long.
        current: the file for the input at hand.
        kept: the file for the inputs that are findings.
    """

    def __init__(self, name: str, seconds: float, current: Path, kept: Path) -> None:
        self.name = name
        self.target: Target = TARGETS[name]
        self.seconds = seconds
        self.end = inf
        self.kept = kept
        self.counts: Counter[str] = Counter()
        self.findings: dict[str, tuple[str, str]] = {}
        self.slowest = 0.0
        self._current = current.open('w')

    def start(self) -> None:
        """Lets the time begin: what came before is not a part of it."""
        self.end = time.monotonic() + self.seconds

    @property
    def over(self) -> bool:
        """Whether the time is."""
        return time.monotonic() > self.end

    def attempt(self, value: Any) -> None:
        """Feeds one input, unless the time is over."""
        if self.over:
            return
        shown = repr(value)
        self._current.seek(0)
        self._current.truncate()
        self._current.write(shown)
        self._current.flush()
        begin = time.process_time()
        try:
            self.counts[self.target.run(value)] += 1
        except (Exception, Hang) as error:
            self.counts['failed'] += 1
            known = self.findings.get(key := _place(error))
            if known is None or len(shown) < len(known[0]):
                self.findings[key] = shown, f'{type(error).__name__}: {error}'
                self.keep()
        if self.end < inf:  # the first ones import the reader
            self.slowest = max(self.slowest, time.process_time() - begin)

    def strategy(self, examples: int) -> Any:
        """Feeds that many inputs of hypothesis's when it is called."""

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def feed(data: Any) -> None:
            self.attempt(data.draw(self.target.inputs))

        return feed

    def keep(self) -> None:
        """Leaves the findings to the next run."""
        self.kept.write_text(''.join(f'{shown}\n' for shown, _ in self.findings.values()))

    def report(self, engine: str) -> None:
        """Prints a summary and every distinct finding with its smallest input."""
        total = ', '.join(f'{count} {kind}' for kind, count in sorted(self.counts.items()))
        pace = self.counts.total() / self.seconds
        print(
            f'{self.seconds / 60:g} min by {engine}: {total}; '
            f'{pace:.3g} a second, the slowest {self.slowest:.2g} s'
        )
        for key, (shown, error) in self.findings.items():
            print(f'FINDING in {key}\n  {error[:500]}\n  {reproducer(self.name, shown)}')
        sys.stdout.flush()
        self.keep()


def reproducer(name: str, shown: str | None) -> str:
    """The command that feeds one input again."""
    if shown is None:
        return f'before its first input: python tests/fuzz/run.py --minutes 1 {name}'
    code = (
        'from math import inf, nan; from tests.fuzz.table import TARGETS; '
        f'TARGETS[{name!r}].run({shown})'
    )
    return f'python - <<"END"\n{code}\nEND'


def main(name: str, seconds: str, engine: str, current: str, kept: str) -> None:
    """Feeds one reader, and prints what came of it."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    before = Path(kept).read_text().splitlines() if Path(kept).exists() else []
    feeder = Feeder(name, float(seconds), Path(current), Path(kept))
    for line in before:
        feeder.attempt(eval(line, {'inf': inf, 'nan': nan}))
    feeder.strategy(5)()
    # What the reader imported stays: some readers collect garbage at every input.
    gc.collect()
    gc.freeze()
    feeder.start()
    if engine == 'atheris':
        _guide(feeder)
    feed = feeder.strategy(500)
    while not feeder.over:
        seed(random.randrange(2**32))(feed)()
    feeder.report(engine)


def _guide(feeder: Feeder) -> None:
    """Feeds by atheris, and ends the process."""
    import atheris

    feed = feeder.strategy(500)

    def one(content: bytes) -> None:
        feed.hypothesis.fuzz_one_input(content)
        if feeder.over:
            # libFuzzer would end by itself in a way that leaves no word about what was found.
            feeder.report('atheris')
            os._exit(0)

    _instrument(atheris)
    corpus = feeder.kept.with_suffix('')
    corpus.mkdir(exist_ok=True)
    # Not 0: atheris would end the process at an input that takes a second.
    options = ['-rss_limit_mb=0', '-timeout=86400', f'-seed={random.randrange(2**31)}']
    options += [f'-artifact_prefix={tempfile.gettempdir()}/', str(corpus)]
    atheris.Setup([sys.argv[0], *options], one)
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


def _place(error: BaseException) -> str:
    """Where an error arose, without what differs from input to input."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if 'go4align_plugins' in frame.filename] or frames
    last = own[-1]
    return f'{type(error).__name__} at {re.sub(r".*/", "", last.filename)}:{last.lineno}'


if __name__ == '__main__':
    main(*sys.argv[1:])
