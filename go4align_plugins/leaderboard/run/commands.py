"""Give the command line of a training tool that trains a cell, and check it beforehand."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from go4align_plugins.leaderboard.run.plan import Cell, Plan
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.utils.files import save_bytes


def training_arguments(plan: Plan, cell: Cell, folder: Path) -> list[str]:
    """Give the command line that trains a cell, or goes on with it; write mmseg's config."""
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
    for option, value in cell.method.libmtl_options.items():
        words += [f'--{option}', value]
    return words


def check_methods(plan: Plan, folder: Path) -> None:
    """Refuse methods and options that the training tool does not know, in its words."""
    for cell in {cell.method: cell for cell in plan.cells()}.values():
        printed = io.StringIO()
        try:
            with redirect_stderr(printed), redirect_stdout(io.StringIO()):
                _check(plan, cell, folder)
        except (ValueError, FileNotFoundError, SystemExit) as error:
            parser = printed.getvalue().strip().rpartition('\n')[2]  # argparse prints and leaves
            reason = parser if isinstance(error, SystemExit) else error
            raise ValueError(f'Method {cell.method.spec}: {reason}') from error


def _check(plan: Plan, cell: Cell, folder: Path) -> None:
    if plan.framework == 'mmseg':
        from go4align_plugins.leaderboard.run.mmseg_config import build_config
        from go4align_plugins.mmseg.apis.train import build_parser

        build_parser().parse_args([f'{cell.name}.py', *plan.options])
        build_config(plan, cell)
    else:
        from go4align_plugins.libmtl import train

        train.resolve(
            *train.build_parser().parse_known_args(training_arguments(plan, cell, folder))
        )
