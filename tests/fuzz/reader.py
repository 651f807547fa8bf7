"""The registry of readers: each with the inputs that it is fed and what is known of its errors."""

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

import pytest
from hypothesis import strategies as st

SECONDS = 60  # the first input may wait for imports on a busy machine


@dataclass(frozen=True)
class Reader:
    """A reader: its inputs, and a check that feeds one to it in an empty folder."""

    inputs: st.SearchStrategy[Any]
    check: Callable[..., object]  # of an input and the folder
    named: str = ''  # a pattern that its errors may have, beside the folder and parameters
    needs: str = 'torch'  # a module without which there is nothing to test
    file: str = ''  # where the input is written to; then the check is of this file's path alone

    def run(self, value: Any) -> str:
        """Feed one input; returns `accepted`, or `refused` with an error that names the fault."""
        # By the time that this process has worked: it may have had to wait for others. Compiled
        # code is not interrupted: then `run.py` ends the process.
        signal.signal(signal.SIGPROF, lambda *_: pytest.fail(f'no answer within {SECONDS} s'))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            given = [Path(name, self.file)] if self.file else [value, Path(name)]
            if self.file:
                given[0].write_bytes(value)
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    self.check(*given)
                return 'accepted'
            except (ValueError, OSError, ImportError) as error:
                known = '|'.join(filter(None, ('Parameter `', re.escape(name), self.named)))
                if not re.search(known, str(error)):
                    raise AssertionError(f'no file or parameter is named: {error!r}') from error
                return 'refused'
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)


READERS: dict[str, Reader] = {}


def reads(inputs: Any, named: str = '', name: str = '', **options: str) -> Callable:
    """Register a check under its name; a function of no arguments makes its inputs when needed."""

    def register(check: Callable) -> Callable:
        strategy = inputs if isinstance(inputs, st.SearchStrategy) else st.deferred(inputs)
        READERS[name or check.__name__] = Reader(strategy, check, named, **options)
        return check

    return register
