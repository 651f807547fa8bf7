"""Hold the command line of ``tools/leaderboard.py``: all options; the commands are beside."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.leaderboard.analyse.variants import INDICATORS
from go4align_plugins.leaderboard.cli import analyse, report, run
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.run.launchers import CLUSTERS
from go4align_plugins.leaderboard.run.plan import FRAMEWORKS
from go4align_plugins.utils.files import advise
from go4align_plugins.weighting.groupings import GROUPINGS

COMPARE = """\
Compares weighting methods: trains every method with every seed, each in a process of its own, and
reports the table of the papers. Interrupt it at any time; the same command goes on."""
EXAMPLES = """\
examples:
  python tools/leaderboard.py run --framework libmtl --benchmark rooms \\
      --methods STL EW UW DWA CAGrad GO4Align GO4Align:num_groups=3 --seeds 0 1 2 --workers 2
  python tools/leaderboard.py run --out leaderboards/libmtl-rooms              # go on with it
  python tools/leaderboard.py run --out leaderboards/libmtl-rooms --methods IMTL    # one more
  python tools/leaderboard.py report leaderboards/libmtl-rooms --out report
"""
RUN = """\
Trains every method with every seed, each in a process of its own, in the folder --out. Cells that
are finished are never trained again; a cell that was killed goes on after its last epoch; a cell
that failed is reported with its log, and is tried again only with --retry. Methods and seeds given
later are added. Options that are not listed here go to the training tool as they are, for every
cell: --epochs 20 --protocol paper --no-pretrained ..."""
METHODS = 'STL (each task alone), EW, GO4Align, ...; with arguments as NAME:key=value,key=value'
REPORT = """\
Compares the methods of a leaderboard: every metric with its standard deviation over the seeds, mean
rank, delta_m and LibMTL's improvement against the single-task runs, the difference to EW with its
bootstrap interval, and relative time. Runs of several protocols are refused. A table.csv in the
form of report.csv (method, seeds, task/metric) is a set of results that was entered by hand."""
ANALYSE = """\
The analyses of the GO4Align paper. `weights` and `convergence` read a leaderboard that is there;
`groups`, `ablation`, `indicators` and `clusterings` train the missing cells of one, with STL and
EW, and take the options of `run`; `runtime` times training steps on random data."""
DRAWINGS = {
    'weights': (analyse.weights, 'weights and groups over the epochs (Fig. 5)'),
    'convergence': (analyse.convergence, 'when the tasks converge (Fig. 2)'),
}
COMPARISONS = {
    'groups': 'the effect of the number of groups K',
    'ablation': 'GO4Align without some of Eq. 4, 5, 6 (Table 3)',
    'indicators': 'other methods alone and with AGRM (Table 4)',
    'clusterings': 'other ways of grouping (Table 5)',
}
RUNTIME = """\
Times training steps of LibMTL's methods side by side in one process: one step of each method in
each round, relative to equal weighting in the same round; medians and quartiles over the rounds.
The models are those of streets (2 tasks), rooms (3), QM9 (11) and CelebA (40) in the small
protocol; the data is random: nothing is read or downloaded."""
STYLE: dict[str, Any] = {
    'formatter_class': argparse.RawDescriptionHelpFormatter,
    'allow_abbrev': False,
}


def build_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser('leaderboard.py', None, COMPARE, EXAMPLES, **STYLE)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    command = _add_command(commands, 'run', 'train the missing cells', RUN, command=run.run)
    _add_training(command)
    command.add_argument('--methods', nargs='+', metavar='METHOD', help=METHODS)
    command = _add_command(commands, 'status', 'list the cells and their state', command=run.status)
    command.add_argument('folder', type=Path, help="the leaderboard's")
    meaning = 'print and write the table'
    add = _add_command(commands, 'report', meaning, REPORT, command=report.report).add_argument
    add(
        'sources', nargs='+', type=Path, metavar='SOURCE',
        help='leaderboards, results.jsonl, run folders (of one benchmark); or one table.csv',
    )  # fmt: skip
    add('--out', type=Path, metavar='DIR', help='where to write it (only printed)')
    add('--formats', nargs='+', choices=FORMATS, default=list(FORMATS), help='to write (all)')
    add('--last', type=int, default=10, help='epochs to average at the end (10)')
    add('--best', action='store_true', help="add a table of each run's best epoch on the test set")
    meaning = "add the GO4Align paper's rows, marked as published"
    add('--published', action='store_true', help=meaning)
    add('--benchmark', choices=BENCHMARKS, help='that table.csv is of (by its columns)')
    command = _add_command(commands, 'analyse', "make one of the paper's analyses", ANALYSE)
    _add_analyses(command.add_subparsers(required=True, metavar='ANALYSIS'))
    meaning = 'write the results to one file'
    add = _add_command(commands, 'export', meaning, command=run.export_results).add_argument
    add('folder', type=Path, help="the leaderboard's")
    add('--out', type=Path, required=True, help='the file, FILE.jsonl')
    meaning = "add another machine's exported results"
    add = _add_command(commands, 'import', meaning, command=run.import_results).add_argument
    add('folder', type=Path, help="the leaderboard's")
    add('files', type=Path, nargs='+', metavar='FILE', help='exported results')
    return parser


def _add_analyses(analyses: argparse._SubParsersAction) -> None:
    adds: dict[str, Callable[..., argparse.Action]] = {}
    for name, (function, meaning) in DRAWINGS.items():
        adds[name] = add = _add_command(analyses, name, meaning, command=function).add_argument
        add('folder', type=Path, help='a leaderboard')
        add('--methods', nargs='+', metavar='METHOD', help='as the report names them (all)')
        _add_picture(add, f' (FOLDER/{name}.png)')
    adds['weights']('--seed', type=int, help='whose runs to draw (the lowest of each method)')
    add = adds['convergence']
    add('--share', type=float, default=0.95, help='of its progress makes a metric converged (0.95)')
    add('--window', type=int, default=5, help='epochs whose mean smooths a metric (5)')
    for name, meaning in COMPARISONS.items():
        description = (
            f'Compares: {meaning}. Trains the missing cells as `run` does, with STL and EW;\n'
            'options that are not listed here go to the training tool.'
        )
        defaults = {'command': analyse.compare, 'analysis': name}
        command = _add_command(analyses, name, meaning, description, **defaults)
        _add_training(command)
        adds[name] = add = command.add_argument
        _add_picture(add, f'; the table is put beside it as .md (OUT/{name}.png)')
        add('--last', type=int, default=10, help='epochs to average at the end (10)')
        if name != 'groups':
            meaning = "where tasks are grouped (the paper's, below M)"
            add('--num-groups', type=int, metavar='K', help=meaning)
    adds['groups']('--groups', nargs='+', type=int, metavar='K', help='(1 to all tasks)')
    meaning = f'(those of {", ".join(INDICATORS)} that LibMTL has)'
    adds['indicators']('--indicators', nargs='+', metavar='METHOD', help=meaning)
    meaning = '(all installed ones)'
    adds['clusterings']('--clusterings', nargs='+', choices=GROUPINGS, help=meaning)
    meaning = 'relative runtime and the number of tasks (Fig. 4)'
    command = _add_command(analyses, 'runtime', meaning, RUNTIME, command=analyse.runtime)
    add, counts = command.add_argument, analyse.COUNTS
    meaning = f'(those of {", ".join(analyse.TIMED)} that LibMTL has)'
    add('--methods', nargs='+', help=meaning)
    add('--tasks', nargs='+', type=int, choices=counts, default=counts, help='(2 3 11 40)')
    add('--repeats', type=int, default=20, help='rounds after two to warm up (20)')
    add('--batch-size', type=int, help="samples a step (the small protocol's)")
    add('--device', help='cpu, cuda:1, ... (a GPU where there is one)')
    add('--json', type=Path, default=Path('runtime.json'), help='all figures (runtime.json)')
    _add_picture(add, ' (the name of --json with .png)')


def _add_training(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`, all but the methods; the rest goes to the training tool."""
    parser.set_defaults(takes_rest=True)
    add = parser.add_argument
    add('--framework', choices=FRAMEWORKS, help='which framework trains (libmtl)')
    add('--benchmark', choices=BENCHMARKS, help='which benchmark')
    add('--seeds', nargs='+', type=int, help='each method is trained with each seed (0)')
    add('--data', help='folder of the data (data/BENCHMARK; rooms and streets are rendered there)')
    add('--tasks', nargs='+', help="some of the benchmark's tasks (all)")
    add('--config', help='mmseg: a config that weights all tasks equally (the small SegNet)')
    add('--plan', type=Path, help='a YAML file with all of these, and `options` for the tool')
    add('--out', type=Path, help='folder of the leaderboard (leaderboards/FRAMEWORK-BENCHMARK)')
    add('--workers', type=int, help='cells at a time; GPUs are shared out (1; on a cluster all)')
    add('--cluster', choices=CLUSTERS, help='submit each cell as a job, by submitit')
    add(
        '--cluster-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='of the jobs: slurm_partition=gpu gpus_per_node=1 cpus_per_task=8 timeout_min=600',
    )  # fmt: skip
    add('--retry', action='store_true', help='try failed cells again')


def _add_picture(add: Callable[..., argparse.Action], default: str) -> None:
    add('--picture', type=_picture, metavar='FILE', help=f'.png, .pdf or .svg{default}')


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in ('.png', '.pdf', '.svg'):  # refused before hours of training
        raise argparse.ArgumentTypeError(f'should end in .png, .pdf or .svg. Found `{text}`.')
    return path


def _add_command(
    commands: argparse._SubParsersAction, name: str, meaning: str, text: str = '', **defaults: Any
) -> argparse.ArgumentParser:
    """Add a command; ``defaults`` are added to its options: ``command`` is called with them."""
    text = text or f'{meaning[0].upper()}{meaning[1:]}.'
    parser = commands.add_parser(name, help=meaning, description=text, **STYLE)
    parser.set_defaults(**defaults)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    options.rest = rest
    if rest and not hasattr(options, 'takes_rest'):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    try:
        status = options.command(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print('leaderboard.py: stopped: the same command goes on.', file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has seen enough, as in `report ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ImportError, OSError) as error:
        advice = advise(error, 'the same command then goes on')
        print(f'leaderboard.py: error: {error}{advice}', file=sys.stderr)
        return 2
