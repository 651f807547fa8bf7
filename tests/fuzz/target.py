"""A reader under test, and what is asked of it for every input."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

DOCUMENTED = (ValueError, OSError, ImportError)
SECONDS = 60  # the first input may wait for imports on a busy machine


class Hang(BaseException):
    """A reader that does not come back; no `except Exception` of its own takes it for damage."""


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        inputs: plain values, so that a finding can be printed and run again.
        check: feeds the reader, in an empty folder, and asserts what is known of its result.
        named: a pattern that its error messages have, unless they name the folder.
        needs: modules without which there is nothing to test.
    """

    inputs: SearchStrategy[Any]
    check: Callable[[Any, Path], None]
    named: str = 'Parameter `'
    needs: tuple[str, ...] = ()

    def run(self, value: Any) -> str:
        """Feeds one input; returns `accepted`, or `refused` with an error that names the fault.

        Raises:
            Exception: any other error, which is a finding.
            Hang: if there is no answer in time. While Python waits for compiled code it cannot be
                raised: `run.py` ends the process.
        """
        with tempfile.TemporaryDirectory() as name, _limited(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    self.check(value, Path(name))
            except DOCUMENTED as error:
                if name in str(error) or re.search(self.named, str(error)):
                    return 'refused'
                raise AssertionError(f'no file or parameter is named: {error!r}') from error
        return 'accepted'


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang(f'no answer within {SECONDS} s')

    # By the time that this process has worked: it may have had to wait for others.
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
