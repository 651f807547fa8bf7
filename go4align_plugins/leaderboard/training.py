"""How a cell of a plan is trained: by which words on the command line of a training tool."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from go4align_plugins.leaderboard.plan import Cell, Plan
from go4align_plugins.leaderboard.runs import SINGLE_TASK

EQUAL_WEIGHTING = 'EW'
RESERVED = ('--dataset', '--data', '--weighting', '--tasks', '--seed', '--out', '--resume')
"""Options of LibMTL's training tool that a plan gives."""


def training_arguments(plan: Plan, cell: Cell, folder: Path) -> list[str]:
    """The command line that trains a cell, or goes on with it.

    Args:
        plan: of the leaderboard.
        cell: one of its cells.
        folder: the cell's run folder.
    """
    return libmtl_arguments(plan, cell, folder)


def libmtl_arguments(plan: Plan, cell: Cell, folder: Path) -> list[str]:
    """The command line for ``tools/train_libmtl.py``."""
    single = cell.method.name == SINGLE_TASK
    tasks = (cell.task,) if cell.task else plan.tasks
    arguments = ['--dataset', plan.benchmark, '--data', str(plan.data_folder)]
    arguments += ['--weighting', EQUAL_WEIGHTING if single else cell.method.name]
    arguments += ['--tasks', *tasks] if tasks else []
    arguments += ['--seed', str(cell.seed), '--out', str(folder), '--resume', *plan.options]
    for name, value in cell.method.arguments:
        arguments += [f'--{libmtl_option(cell.method.name, name)}', value]
    return arguments


def libmtl_option(method: str, name: str) -> str:
    """An argument's name on LibMTL's command line, where this package's carry a prefix."""
    if method.startswith('AGRM_') and name in ('num_groups', 'grouping'):
        return f'AGRM_{name}'
    if method == 'GO4Align' and not name.startswith('GO4Align_'):
        return f'GO4Align_{name}'
    return name


def check_methods(plan: Plan, folder: Path) -> None:
    """Refuse methods and options that the framework does not know, before anything is trained.

    Raises:
        ValueError: if there is one; the message is the training tool's.
        ImportError: if the framework is not installed.
    """
    from go4align_plugins.libmtl import train

    for word in plan.options:
        if word.partition('=')[0] in RESERVED:
            raise ValueError(
                f'Options for the training tool should leave out {", ".join(RESERVED)}, which the '
                f'plan gives. Found `{word}`.'
            )
    for method in plan.methods:
        cell = next(cell for cell in plan.cells() if cell.method == method)
        with redirect_stderr(io.StringIO()) as told, redirect_stdout(io.StringIO()):
            try:
                options, rest = train.build_parser().parse_known_args(
                    libmtl_arguments(plan, cell, folder)
                )
                train.resolve(options, rest)
            except ValueError as error:
                raise ValueError(f'Method {method.spec}: {error}') from error
            except SystemExit as error:  # argparse prints and leaves
                reason = (told.getvalue().strip().splitlines() or [''])[-1]
                raise ValueError(f'Method {method.spec}: {reason}') from error
