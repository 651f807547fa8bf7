"""Train one cell: ``python -m go4align_plugins.leaderboard.run.cell FRAMEWORK FOLDER WORD...``.

The process calls the framework's training tool, keeps other processes out of the run folder, ends
when its standard input does, and records its machine and the memory that it took.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from go4align_plugins.utils.files import save_bytes

USAGE = 'usage.json'
TRAINERS = {
    'libmtl': 'go4align_plugins.libmtl.train',
    'mmseg': 'go4align_plugins.mmseg.apis.train',
}


def main(framework: str, folder: Path, arguments: Sequence[str]) -> int:
    """Train; return the training tool's exit status."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    # A killed leaderboard's process may take a moment to end: the next one waits for it.
    with FileLock(folder / '.lock'):
        status = import_module(TRAINERS[framework]).main(arguments)
        kilobyte = 1 if sys.platform == 'darwin' else 1024
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte
        usage = {'peak_memory': memory, 'machine': describe_machine()}
        if torch.cuda.is_available():
            usage['peak_gpu_memory'] = torch.cuda.max_memory_allocated()
        save_bytes(folder / USAGE, json.dumps(usage).encode())
    return status


def _end_with_input() -> None:
    # The other end of the pipe is closed when its process is gone, however it went.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def read_usage(folder: Path) -> dict[str, Any]:
    """Read a run's record of memory and machine; empty where it is missing or damaged."""
    try:
        found = dict(json.loads((folder / USAGE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}
    return {name: found.get(name) for name in ('peak_memory', 'peak_gpu_memory', 'machine')}


def describe_machine() -> dict[str, Any]:
    """Return system, architecture and GPUs."""
    gpus = [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())]
    return {'system': platform.system(), 'processor': platform.machine(), 'gpus': gpus}


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
