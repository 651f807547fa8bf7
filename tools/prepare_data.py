"""Makes, converts and checks the datasets: see ``python tools/prepare_data.py --help``."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence

from go4align_plugins.data import BENCHMARKS, FACES, FRAMES, celeba, get_benchmark, qm9
from go4align_plugins.data.conversion import cityscapes, nyuv2
from go4align_plugins.data.mtan_layout import SPLITS, check, count_frames, repair
from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.data.units import MEND
from go4align_plugins.utils.files import explain

EXAMPLES = """examples:
  prepare_data.py rooms --out data/rooms
  prepare_data.py streets --out data/streets --size 128 256 --train 2000 --val 300
  prepare_data.py nyuv2 --mat nyu_depth_v2_labeled.mat --out data/nyuv2
  prepare_data.py cityscapes --root cityscapes_official --out data/cityscapes
  prepare_data.py check nyuv2 data/nyuv2
  prepare_data.py check qm9 /data/QM9
  prepare_data.py download cityscapes

Ctrl-C stops at any time; the same command again goes on where it was stopped."""

PLAIN = (ValueError, OSError, ImportError)


def prepare(options: argparse.Namespace) -> int:
    """Renders or converts a dataset."""
    if options.size is not None and min(options.size) < 8:
        raise ValueError(f'Parameter `size` should be at least 8 x 8. Found {options.size}.')
    benchmark = get_benchmark(options.command)
    size = tuple(options.size or benchmark.require_image_size())
    if options.command == 'nyuv2':
        written = nyuv2.convert(options.mat, options.out, size, options.crop, options.workers)
    elif options.command == 'cityscapes':
        written = cityscapes.convert(
            options.root, options.out, size, options.classes, options.workers
        )
    else:
        counts = {'train': options.train, 'val': options.val}
        written = render_dataset(
            benchmark.name, options.out, options.seed, size, counts, options.workers
        )
    found = _say({split: count_frames(options.out, split) for split in SPLITS})
    print(f'{options.out}: {found} frames of {size[0]} x {size[1]}, {written} new.')
    return report_problems(options) if options.check else 0


def report_problems(options: argparse.Namespace) -> int:
    """Checks a dataset and prints every problem; 1 if there are any."""
    making = options.command != 'check'
    root, name = (options.out, options.command) if making else (options.root, options.dataset)
    benchmark = get_benchmark(name)
    num_classes, names = (getattr(options, each, None) for each in ('classes', 'tasks'))
    tasks = [task.name for task in benchmark.select(names)]
    if benchmark.inputs == FRAMES:
        size = tuple(options.size) if options.size else None
        problems = check(root, benchmark, size, num_classes=num_classes, tasks=tasks)
        counts = {split: count_frames(root, split) for split in SPLITS}
    elif options.size or num_classes:
        raise ValueError(
            f'Parameters `size` and `classes` should be left out for {name}, which has no frames.'
        )
    elif benchmark.inputs == FACES:
        problems, counts = celeba.check(root, tasks=tasks)
    else:
        problems, counts = qm9.check(root)  # one table holds all targets
    print(''.join(f'{problem}\n' for problem in problems), end='')
    found, published = f'{_say(counts)} {benchmark.inputs}', _say(benchmark.num_frames)
    if counts and not benchmark.embedded and _say(counts) != published:
        print(f'note: {found}; the published {benchmark.title} has {published}.')
    where = f' in {found}' if counts else ''
    print(f'{root}: problems found{where}: {len(problems) or "none"}.')
    damaged = any(MEND not in problem for problem in problems)
    if benchmark.inputs == FRAMES and any(counts.values()) and damaged:
        print(repair(root, benchmark, 'damaged files'))
    return 1 if problems else 0


def show_download(options: argparse.Namespace) -> int:
    """Says where to get a dataset that cannot be fetched without a browser."""
    print(get_benchmark(options.dataset).download)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Renders, converts and checks datasets in the layout of MTAN's downloads; "
        'checks molecules and faces as they are published.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    summaries = {
        'rooms': 'render rooms, the twin of NYUv2',
        'streets': 'render streets, the twin of CityScapes',
        'nyuv2': 'convert the official nyu_depth_v2_labeled.mat',
        'cityscapes': 'convert the official CityScapes tree',
    }
    for name, summary in summaries.items():
        command = commands.add_parser(
            name, help=summary, description=f'{summary[0].upper()}{summary[1:]}.'
        )
        benchmark = get_benchmark(name)
        if name == 'nyuv2':
            command.add_argument('--mat', required=True, help='the official file')
            command.add_argument(
                '--crop', action='store_true', help='cut to the area that the depth camera sees'
            )
        elif name == 'cityscapes':
            command.add_argument('--root', required=True, help='the folder of the official ones')
            command.add_argument(
                '--classes', type=int, choices=(7, 19), default=7, help='default: %(default)s'
            )
        else:
            command.add_argument('--seed', type=int, default=0, help='default: %(default)s')
            for split, count in benchmark.num_frames.items():
                command.add_argument(
                    f'--{split}', type=int, default=count, help='frames; default: %(default)s'
                )
        height, width = benchmark.require_image_size()
        command.add_argument('--out', required=True, metavar='DIR', help='the folder to write')
        command.add_argument(
            '--size', type=int, nargs=2, metavar=('H', 'W'), help=f'default: {height} {width}'
        )
        command.add_argument('--workers', type=int, help='processes; default: one a core')
        command.add_argument('--check', action='store_true', help='check every file at the end')
        command.set_defaults(run=prepare)

    checker = commands.add_parser(
        'check', help='list every problem of a dataset; exit code 1 if any'
    )
    checker.add_argument(
        'dataset', choices=BENCHMARKS, metavar='DATASET', help='|'.join(BENCHMARKS)
    )
    checker.add_argument('root', metavar='ROOT', help='the folder of the dataset')
    checker.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'), help='that all must have')
    checker.add_argument('--classes', type=int, help="of the labels; default: the benchmark's")
    checker.add_argument('--tasks', nargs='+', metavar='TASK', help='to check; default: all')
    checker.set_defaults(run=report_problems)
    download = commands.add_parser('download', help='say where to get a real dataset')
    known = [name for name, benchmark in BENCHMARKS.items() if benchmark.download]
    download.add_argument('dataset', choices=known, metavar='DATASET', help='|'.join(known))
    download.set_defaults(run=show_download)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    warnings.formatwarning = lambda message, *_, **__: f'note: {message}\n'
    try:
        code = options.run(options)
    except KeyboardInterrupt:
        onward = '; the same command again goes on from here' if options.run is prepare else ''
        parser.exit(130, f'\nstopped{onward}\n')
    except (*PLAIN, RuntimeError) as error:
        message = explain(error, 'the same command then goes on', PLAIN)
        if message is None:
            raise
        parser.exit(2, f'error: {message}\n')
    sys.exit(code)


def _say(counts: Mapping[str, int]) -> str:
    return ' + '.join(f'{count} {split}' for split, count in counts.items())


if __name__ == '__main__':
    main()
