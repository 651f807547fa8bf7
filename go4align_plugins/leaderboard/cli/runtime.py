"""Run the analysis ``runtime``: training steps of LibMTL's methods side by side."""

from __future__ import annotations

import argparse
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

from go4align_plugins.leaderboard.analyse import runtime as timing
from go4align_plugins.leaderboard.cli.options import add_command, add_picture, print_absent
from go4align_plugins.leaderboard.run.cell import describe_machine
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING
from go4align_plugins.plots.canvas import new_figure
from go4align_plugins.utils.files import save_json
from go4align_plugins.utils.run_folder import describe_environment

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
    parser = add_command(analyses, 'runtime', meaning, DESCRIPTION, command=_runtime)
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
    from go4align_plugins.libmtl.compat import import_libmtl

    new_figure(1, 1)  # where matplotlib is absent, say so before the timing and not after it
    methods = options.methods
    if methods is None:
        offered = import_libmtl().weighting.__all__
        methods = [method for method in METHODS if method in offered]
        print_absent(METHODS, methods)
    steps, failures, notes = {}, {}, []
    for count in sorted(set(options.tasks)):
        load = build_workload(count, options.batch_size)
        note = f'{count} tasks: {load.benchmark.title}, {load.backbone}, batch {load.batch_size}.'
        notes.append(f'{note} {load.note}'.rstrip())
        print(notes[-1])
        for method in dict.fromkeys((EQUAL_WEIGHTING, *methods)):
            try:
                steps[count, method] = load.prepare(method, options.device)
            except ValueError:  # there is no method of that name
                raise
            except Exception as error:  # any error of LibMTL's code
                if method == EQUAL_WEIGHTING:
                    raise
                failures[count, method] = timing.explain_failure(error)
    timings, failed_steps = timing.time_steps(steps, options.repeats)
    failures.update(failed_steps)
    hardware = _describe_hardware()
    notes.append(
        f'Median and quartiles over {options.repeats} rounds; random data; '
        f'{", ".join(hardware["gpus"]) or hardware["model"]}, threads: {hardware["threads"]}.'
    )
    print(timing.timing_table(timings))
    for (count, method), reason in failures.items():
        notes.append(f'{method} fails with {count} tasks.')
        print(f'{method} fails with {count} tasks: {reason}')
    picture = options.picture or options.json.with_suffix('.png')
    failed = [{'tasks': m, 'method': name, 'reason': why} for (m, name), why in failures.items()]
    record = {
        'hardware': hardware,
        **describe_environment('torch', 'LibMTL', 'torch_geometric'),
        'repeats': options.repeats,
        'notes': notes,
        'timings': [each.record for each in timings],
        'failures': failed,
    }
    save_json(options.json, record)
    timing.draw_runtime(timings, ' '.join(notes), picture)
    print(f'All figures: {options.json}\nThe picture: {picture}')
    return 1 if failures else 0


def _describe_hardware() -> dict[str, Any]:
    """Return the machine, its processor, and the share of it that torch uses."""
    info = Path('/proc/cpuinfo')  # of Linux
    named = re.search(r'model name\s*: (.+)', info.read_text() if info.exists() else '')
    model = named[1] if named else platform.processor()
    threads = torch.get_num_threads()
    return {**describe_machine(), 'model': model, 'cores': os.cpu_count(), 'threads': threads}
