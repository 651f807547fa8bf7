"""Give the command line of a training tool that trains a cell, and check it beforehand."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.utils.files import save_bytes

CONFIGS = 'configs'
RESERVED = {
    'libmtl': ('--dataset', '--data', '--weighting', '--tasks', '--seed', '--out', '--resume'),
    'mmseg': ('--work-dir', '--resume', '--launcher', '--local_rank', '--local-rank'),
}
"""Options of the training tools that a plan gives."""


def training_arguments(plan: Plan, cell: Cell, folder: Path) -> list[str]:
    """Give the command line that trains a cell, or goes on with it.

    For MMSegmentation the cell's config is written into the leaderboard's ``configs``.
    """
    if plan.framework == 'libmtl':
        return _libmtl_arguments(plan, cell, folder)
    from go4align_plugins.leaderboard.run.mmseg_config import build_config

    path = folder.parents[1] / CONFIGS / f'{cell.name}.py'
    path.parent.mkdir(exist_ok=True)
    save_bytes(path, build_config(plan, cell).pretty_text.encode())
    return [str(path), '--work-dir', str(folder), '--resume', *plan.options]


def check_methods(plan: Plan, folder: Path) -> None:
    """Refuse methods and options that the framework does not know, before anything is trained.

    Raises:
        ValueError: if there is one; the message is the training tool's.
        ImportError: if the framework is not installed.
    """
    reserved = RESERVED[plan.framework]
    for word in plan.options:
        if word.partition('=')[0] in reserved:
            raise ValueError(
                f'Options for the training tool should leave out {", ".join(reserved)}, which the '
                f'plan gives. Found `{word}`.'
            )
    for method in plan.methods:
        _check_arguments(method)
    for method in plan.methods:
        cell = next(cell for cell in plan.cells() if cell.method == method)
        try:
            with redirect_stderr(io.StringIO()) as printed, redirect_stdout(io.StringIO()):
                _check(plan, cell, folder)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f'Method {method.spec}: {error}') from error
        except SystemExit as error:  # argparse prints and leaves
            reason = (printed.getvalue().strip().splitlines() or [''])[-1]
            raise ValueError(f'Method {method.spec}: {reason}') from error


def _libmtl_arguments(plan: Plan, cell: Cell, folder: Path) -> list[str]:
    single = cell.method.name == SINGLE_TASK
    tasks = (cell.task,) if cell.task else plan.tasks
    arguments = ['--dataset', plan.benchmark, '--data', str(plan.data_folder)]
    arguments += ['--weighting', EQUAL_WEIGHTING if single else cell.method.name]
    arguments += ['--tasks', *tasks] if tasks else []
    arguments += ['--seed', str(cell.seed), '--out', str(folder), '--resume', *plan.options]
    for name, value in cell.method.libmtl_options:
        arguments += [f'--{name}', value]
    return arguments


def _check_arguments(method: Method) -> None:
    """Refuse arguments that move a run's files: a method may come from an imported store."""
    for (name, value), (option, _) in zip(method.arguments, method.libmtl_options):
        flag = f'--{option}'.replace('_', '-')
        if flag in RESERVED['libmtl'] or not re.fullmatch(r'\w[\w-]*', name):
            raise ValueError(
                f'Method {method.spec}: arguments should leave out '
                f'{", ".join(RESERVED["libmtl"])}. Found `{name}`.'
            )
        if value.startswith('--'):
            raise ValueError(
                f'Method {method.spec}: `{name}` should have a value that is no option. '
                f'Found `{value}`.'
            )


def _check(plan: Plan, cell: Cell, folder: Path) -> None:
    if plan.framework == 'libmtl':
        from go4align_plugins.libmtl import train

        train.resolve(*train.build_parser().parse_known_args(_libmtl_arguments(plan, cell, folder)))
        return
    from go4align_plugins.leaderboard.run.mmseg_config import build_config
    from go4align_plugins.mmseg.apis.train import build_parser

    build_parser().parse_args([f'{cell.name}.py', *plan.options])
    build_config(plan, cell)
