"""The registry of readers: each with the inputs that it is fed and what is known of its results."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

SECONDS = 60  # the first input may wait for imports on a busy machine


class Hang(BaseException):
    """A reader that does not come back; no `except Exception` of its own takes it for damage."""


@dataclass(frozen=True)
class Reader:
    """A reader: its inputs, and a check that feeds one to it in an empty folder."""

    inputs: st.SearchStrategy[Any]
    check: Callable[..., object]  # of an input and the folder
    named: str = ''  # a pattern that its errors may have, beside the folder and parameters
    needs: str = 'torch'  # a module without which there is nothing to test
    file: str = ''  # where the input is written to; then the check is of this file's path alone

    def run(self, value: Any) -> str:
        """Feed one input; returns `accepted`, or `refused` with an error that names the fault.

        Any other error is a finding, and so is a Hang: no answer in time. While Python waits for
        compiled code it cannot be raised: `run.py` ends the process.
        """

        def stop(*_: object) -> None:
            raise Hang(f'no answer within {SECONDS} s')

        # By the time that this process has worked: it may have had to wait for others.
        before = signal.signal(signal.SIGPROF, stop)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    if self.file:
                        path = Path(name, self.file)
                        path.write_bytes(value)
                        self.check(path)
                    else:
                        self.check(value, Path(name))
                return 'accepted'
            except (ValueError, OSError, ImportError) as error:
                if re.search(
                    f'Parameter `|{re.escape(name)}{self.named and "|"}{self.named}', str(error)
                ):
                    return 'refused'
                raise AssertionError(f'no file or parameter is named: {error!r}') from error
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.signal(signal.SIGPROF, before)


READERS: dict[str, Reader] = {}


def reads(inputs: Any, named: str = '', name: str = '', **options: str) -> Callable:
    """Register a check under its name; a function of no arguments makes its inputs when needed."""

    def register(check: Callable) -> Callable:
        strategy = inputs if isinstance(inputs, st.SearchStrategy) else st.deferred(inputs)
        READERS[name or check.__name__] = Reader(strategy, check, named, **options)
        return check

    return register
