"""Train one cell: ``python -m go4align_plugins.leaderboard.run.cell``.

The process calls the framework's training tool, keeps other processes out of the run folder, ends
with the process that started it, and records its machine and the memory that it took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from go4align_plugins.leaderboard.run.hardware import describe_machine
from go4align_plugins.utils.files import save_bytes

USAGE = 'usage.json'
TRAINERS = {
    'libmtl': 'go4align_plugins.libmtl.train',
    'mmseg': 'go4align_plugins.mmseg.apis.train',
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; return the training tool's exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    end = arguments.index('--')
    parser = argparse.ArgumentParser(description=__doc__, usage='%(prog)s ... -- TOOL-ARGUMENTS')
    parser.add_argument('framework', choices=TRAINERS)
    parser.add_argument('folder', type=Path, help='the run folder')
    parser.add_argument('--attached', action='store_true', help='end when standard input does')
    options = parser.parse_args(arguments[:end])
    if options.attached:
        threading.Thread(target=_end_with_input, daemon=True).start()
    options.folder.mkdir(parents=True, exist_ok=True)
    # A killed leaderboard's process may take a moment to end: the next one waits for it.
    with FileLock(options.folder / '.lock'):
        train: Callable[[Sequence[str]], int] = import_module(TRAINERS[options.framework]).main
        status = train(arguments[end + 1 :])
        _record_usage(options.folder / USAGE)
    return status


def _end_with_input() -> None:
    # The other end of the pipe is closed when its process is gone, however it went.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def read_usage(path: Path) -> dict[str, Any]:
    """Read the record of memory and machine; empty where it is missing or damaged."""
    try:
        found = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}
    types = {'peak_memory': int, 'peak_gpu_memory': int, 'machine': dict}
    return {name: found[name] for name, kind in types.items() if isinstance(found.get(name), kind)}


def _record_usage(path: Path) -> None:
    """Record the machine, and the most memory of all processes that worked at the run."""
    kilobyte = 1 if sys.platform == 'darwin' else 1024
    now = {'peak_memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte}
    if torch.cuda.is_available():
        now['peak_gpu_memory'] = torch.cuda.max_memory_allocated()
    before = read_usage(path)
    most = {name: max(value, before.get(name, 0)) for name, value in now.items()}
    save_bytes(path, json.dumps({**most, 'machine': describe_machine()}).encode())


if __name__ == '__main__':
    sys.exit(main())
