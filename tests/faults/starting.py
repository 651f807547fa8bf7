"""Starts the tools as processes that can be killed.

What a tool imports is imported once, and each process is forked from there: a start takes a moment
in place of seconds, and a random moment of a process is one of its work.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tqdm import tqdm

IMPORTED = {
    'train_libmtl.py': ('go4align_plugins.libmtl.train',),
    'train_mmseg.py': ('go4align_plugins.mmseg', 'go4align_plugins.mmseg.apis.train'),
    'prepare_data.py': ('go4align_plugins.benchmarks.scenes',),
    'leaderboard.py': ('go4align_plugins.leaderboard.cli', 'go4align_plugins.libmtl.train'),
}
# A thread that holds a lock while its process is forked holds it for ever.
tqdm.monitor_interval = 0


class Forked:
    """A process of a tool, with the part of ``subprocess.Popen`` that the scripts use.

    Args:
        words: Python, the tool's file, its arguments.
        log: what it says is added there.
        preexec_fn: called in the process before anything else.
    """

    def __init__(
        self, words: Sequence[str], log: Path, preexec_fn: Callable[[], Any] | None = None
    ) -> None:
        for module in IMPORTED[Path(words[1]).name]:
            import_module(module)
        context = multiprocessing.get_context('fork')
        self._process = context.Process(target=_run, args=(words[1:], log, preexec_fn))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired('a tool', timeout or 0)
        return self.returncode

    def kill(self) -> None:
        self._process.kill()


def _run(words: Sequence[str], log: Path, preexec_fn: Callable[[], Any] | None) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout, sys.stderr = (
        os.fdopen(number, 'w', buffering=1, closefd=False) for number in (1, 2)
    )
    if preexec_fn is not None:
        preexec_fn()
    sys.argv = list(words)
    runpy.run_path(words[0], run_name='__main__')
