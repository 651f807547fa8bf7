"""The sub-command ``step``: the weighting step alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from go4align_plugins.benchmarks.files import save_json
from go4align_plugins.benchmarks.run_folder import describe_environment

TASKS = (2, 3, 11, 40, 100, 1000, 10_000)
GROUPS = (2, 5, 8)
QUICK_TASKS, QUICK_GROUPS, QUICK_ROUNDS = (3, 40, 1000), (2, 5), 5

DESCRIPTION = """\
Times the weighting step alone, losses in to weights out, and with the backward pass of the
weighted sum. Methods: `exact`, what this package does by default; `published`, the paper's way by
kmeans-pytorch, with what it prints; `equal`, the plain sum of the losses; and this package's
other groupings as far as they are installed and end within a second.

All methods take turns, some milliseconds of steps each, in every round; the table has the median
time of a step and the median, over the rounds, of its ratios to `exact` in the same round. Memory
is the most that a step holds at a time. On a GPU, how often a step makes the host wait is counted
as well, and that the default's never does is checked (up to 512 tasks)."""

CLOCK_HELP = 'cpu: the time of the one thread at work, for a busy machine without a GPU (wall)'


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``step``."""
    parser = subparsers.add_parser(
        'step',
        help='the weighting step alone, from 2 tasks to 10,000',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('--tasks', nargs='+', type=int, metavar='M', help=f'({" ".join(map(str, TASKS))})')
    add('--groups', nargs='+', type=int, metavar='K', help='up to M (2 5 8)')
    add('--methods', nargs='+', help='(all that are installed)')
    add('--rounds', type=int, help='after two to warm up (20)')
    add('--threads', type=int, default=1, help='of torch on the CPU (1)')
    add('--device', default='cpu', help='cpu, cuda, cuda:1, ... (cpu)')
    add('--clock', choices=('wall', 'cpu'), default='wall', help=CLOCK_HELP)
    add('--quick', action='store_true', help='3, 40 and 1,000 tasks, 2 and 5 groups, 5 rounds')
    add('--json', type=Path, default=Path('speed-step.json'), help='(speed-step.json)')
    add('--picture', type=Path, help='.png, .pdf or .svg (the name of --json with .png)')
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Time, print, draw and write.

    Raises:
        ValueError: if an option is out of its range.
        ImportError: if a package is missing that was asked for.
    """
    # torch and what it loads take seconds: not for --help.
    import torch

    from go4align_plugins.speed.hardware import describe_hardware
    from go4align_plugins.speed.measure import measure
    from go4align_plugins.speed.step_report import draw_steps, step_tables

    torch.set_num_threads(options.threads)
    quick = options.quick
    rounds = options.rounds or (QUICK_ROUNDS if quick else 20)
    measures = measure(
        options.tasks or (QUICK_TASKS if quick else TASKS),
        options.groups or (QUICK_GROUPS if quick else GROUPS),
        options.methods,
        rounds,
        torch.device(options.device),
        options.clock,
    )
    hardware = describe_hardware()
    place = hardware['model']
    if options.device != 'cpu':
        place = torch.cuda.get_device_name(options.device)
    caption = (
        f'Median of {rounds} rounds, {options.clock} time; {place}, {options.threads} thread(s).'
    )
    print(step_tables(measures), caption, sep='\n\n')
    picture = options.picture or options.json.with_suffix('.png')
    record = {
        'hardware': hardware,
        **describe_environment('torch', 'kmeans-pytorch', 'numpy'),
        'device': options.device,
        'rounds': rounds,
        'clock': options.clock,
        'measures': [measure.record() for measure in measures],
    }
    save_json(options.json, record)
    draw_steps(measures, caption, picture)
    print(f'All figures: {options.json}\nThe picture: {picture}')
    return 0
