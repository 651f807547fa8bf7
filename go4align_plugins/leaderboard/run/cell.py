"""Train one cell: ``python -m go4align_plugins.leaderboard.run.cell FRAMEWORK FOLDER WORD...``.

The words are those of the framework's training tool. The process keeps others out of the run
folder, ends when its standard input does, and records its machine and the memory that it took.
"""

from __future__ import annotations

import io
import json
import os
import platform
import resource
import sys
import threading
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from filelock import FileLock

from go4align_plugins.leaderboard.run.plan import Cell, Plan
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.utils.files import save_bytes

USAGE = 'usage.json'
TRAINERS = {'libmtl': 'go4align_plugins.libmtl.train', 'mmseg': 'go4align_plugins.mmseg.apis.train'}


def training_arguments(plan: Plan, cell: Cell, folder: Path) -> list[str]:
    """Give the words that train a cell, or go on with it; write mmseg's config."""
    if plan.framework == 'mmseg':
        from go4align_plugins.leaderboard.run.mmseg_config import build_config

        path = folder.parents[1] / 'configs' / f'{cell.name}.py'
        path.parent.mkdir(exist_ok=True)
        save_bytes(path, build_config(plan, cell).pretty_text.encode())
        return [str(path), '--work-dir', str(folder), '--resume', *plan.options]
    name, tasks = cell.method.name, (cell.task,) if cell.task else plan.tasks
    words = ['--dataset', plan.benchmark, '--data', str(plan.data_folder)]
    words += ['--weighting', EQUAL_WEIGHTING if name == SINGLE_TASK else name]
    words += ['--tasks', *tasks] if tasks else []
    words += ['--seed', str(cell.seed), '--out', str(folder), '--resume', *plan.options]
    return words + [f'--{name}={value}' for name, value in cell.method.libmtl_options.items()]


def check_methods(plan: Plan) -> None:
    """Refuse methods and options that the training tool does not know, in its words."""
    for cell in {cell.method: cell for cell in plan.cells()}.values():
        printed = io.StringIO()
        with redirect_stderr(printed), redirect_stdout(io.StringIO()), TemporaryDirectory() as out:
            try:
                tool: Any = import_module(TRAINERS[plan.framework])
                words = training_arguments(plan, cell, Path(out, 'runs', cell.name))
                if plan.framework == 'mmseg':
                    tool.build_parser().parse_args(words)
                else:
                    tool.resolve(*tool.build_parser().parse_known_args(words))
            except (ValueError, FileNotFoundError, SystemExit) as error:
                said = printed.getvalue().strip().rpartition('\n')[2]  # argparse prints and leaves
                reason = said if isinstance(error, SystemExit) else error
                raise ValueError(f'Method {cell.method.spec}: {reason}') from error


def main(framework: str, folder: Path, arguments: Sequence[str]) -> int:
    """Train; return the training tool's exit status."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    # A killed leaderboard's process may take a moment to end: the next one waits for it.
    with FileLock(folder / '.lock'):
        status = import_module(TRAINERS[framework]).main(arguments)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory *= 1 if sys.platform == 'darwin' else 1024
        usage = {'peak_memory': memory, 'machine': describe_machine()}
        if torch.cuda.is_available():
            usage['peak_gpu_memory'] = torch.cuda.max_memory_allocated()
        save_bytes(folder / USAGE, json.dumps(usage).encode())
    return status


def _end_with_input() -> None:
    # The other end of the pipe is closed when its process is gone, however it went.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def describe_machine() -> dict[str, Any]:
    """Return system, architecture and GPUs."""
    gpus = [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())]
    return {'system': platform.system(), 'processor': platform.machine(), 'gpus': gpus}


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
