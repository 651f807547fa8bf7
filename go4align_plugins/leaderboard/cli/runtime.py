"""Run the analysis ``runtime``: training steps of LibMTL's methods side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from go4align_plugins.leaderboard.analyse.runtime import (
    Cell,
    draw_runtime,
    explain_failure,
    time_steps,
    timing_table,
)
from go4align_plugins.leaderboard.cli.options import add_command, add_picture, print_absent
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING
from go4align_plugins.plots.canvas import new_figure
from go4align_plugins.utils.files import save_json
from go4align_plugins.utils.run_folder import describe_environment

if TYPE_CHECKING:
    from go4align_plugins.leaderboard.analyse.workloads import Workload

METHODS = (
    EQUAL_WEIGHTING, 'GO4Align', 'UW', 'DWA', 'FAMO', 'CAGrad', 'IMTL', 'PCGrad', 'MGDA',
    'Nash_MTL',
)  # fmt: skip
COUNTS = (2, 3, 11, 40)
DESCRIPTION = """\
Times training steps of LibMTL's methods side by side in one process: one step of each method in
each round, relative to equal weighting in the same round; medians and quartiles over the rounds.
The models are those of streets (2 tasks), rooms (3), QM9 (11) and CelebA (40) in the small
protocol; the data is random: nothing is read or downloaded."""


def add_parser(analyses: argparse._SubParsersAction) -> None:
    """Add ``runtime``."""
    meaning = 'relative runtime and the number of tasks (Fig. 4)'
    parser = add_command(analyses, 'runtime', _runtime, meaning, DESCRIPTION)
    add = parser.add_argument
    add('--methods', nargs='+', help=f'(those of {", ".join(METHODS)} that LibMTL has)')
    add('--tasks', nargs='+', type=int, choices=COUNTS, default=COUNTS, help='(2 3 11 40)')
    add('--repeats', type=int, default=20, help='rounds after two to warm up (20)')
    add('--batch-size', type=int, help="samples a step (the small protocol's)")
    add('--device', help='cpu, cuda:1, ... (a GPU where there is one)')
    add('--json', type=Path, default=Path('runtime.json'), help='all figures (runtime.json)')
    add_picture(parser, ' (the name of --json with .png)')


def _runtime(options: argparse.Namespace) -> int:
    """Return 1 if a method could not be timed."""
    # LibMTL takes seconds to load: not for every command.
    from go4align_plugins.leaderboard.analyse.workloads import build_workload
    from go4align_plugins.leaderboard.run.hardware import describe_hardware

    new_figure(1, 1)  # where matplotlib is absent, say so before the timing and not after it
    methods = _methods(options.methods)
    counts = sorted(set(options.tasks))
    workloads = {count: build_workload(count, options.batch_size) for count in counts}
    notes = [
        f'{count} tasks: {load.benchmark.title}, {load.backbone}, batch {load.batch_size}.'
        + (f' {load.note}' if load.note else '')
        for count, load in workloads.items()
    ]
    print('\n'.join(notes))
    steps, failures = _prepare(workloads, methods, options.device)
    try:
        timings, failed_steps = time_steps(steps, options.repeats)
    except KeyboardInterrupt:
        print('leaderboard.py: stopped; nothing is kept of a timing.', file=sys.stderr)
        return 130
    failures.update(failed_steps)
    hardware = describe_hardware()
    notes.append(
        f'Median and quartiles over {options.repeats} rounds; random data; '
        f'{", ".join(hardware["gpus"]) or hardware["model"]}, threads: {hardware["threads"]}.'
    )
    print(timing_table(timings))
    for (count, method), reason in failures.items():
        notes.append(f'{method} fails with {count} tasks.')
        print(f'{method} fails with {count} tasks: {reason}')
    picture = options.picture or options.json.with_suffix('.png')
    record = {
        'hardware': hardware,
        **describe_environment('torch', 'LibMTL', 'torch_geometric'),
        'repeats': options.repeats,
        'notes': notes,
        'timings': [timing.record for timing in timings],
        'failures': [
            {'tasks': count, 'method': method, 'reason': reason}
            for (count, method), reason in failures.items()
        ],
    }
    save_json(options.json, record)
    draw_runtime(timings, ' '.join(notes), picture)
    print(f'All figures: {options.json}\nThe picture: {picture}')
    return 1 if failures else 0


def _methods(asked: Sequence[str] | None) -> list[str]:
    """Return equal weighting, and the methods asked for or all known ones that LibMTL has."""
    from go4align_plugins.libmtl.compat import import_libmtl

    if asked is None:
        offered = import_libmtl().weighting.__all__
        asked = [method for method in METHODS if method in offered]
        print_absent(METHODS, asked)
    return list(dict.fromkeys((EQUAL_WEIGHTING, *asked)))


def _prepare(
    workloads: Mapping[int, Workload], methods: Sequence[str], device: str | None
) -> tuple[dict[Cell, Callable[[], None]], dict[Cell, str]]:
    """Return the steps to be timed; and of the methods that cannot be set up the reason."""
    steps, failures = {}, {}
    for count, workload in workloads.items():
        for method in methods:
            try:
                steps[count, method] = workload.prepare(method, device)
            except ValueError:  # there is no method of that name
                raise
            except Exception as error:  # any error of LibMTL's code
                if method == EQUAL_WEIGHTING:
                    raise
                failures[count, method] = explain_failure(error)
    return steps, failures
