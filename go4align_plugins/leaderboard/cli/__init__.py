"""Hold the command line of ``tools/leaderboard.py``: all options; the commands are beside."""

from __future__ import annotations

import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.leaderboard.analyse.comparison import INDICATORS
from go4align_plugins.leaderboard.cli import analyse, board
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.run.launchers import CLUSTERS
from go4align_plugins.leaderboard.run.plan import FRAMEWORKS
from go4align_plugins.leaderboard.run.runs import printable
from go4align_plugins.utils.files import explain
from go4align_plugins.weighting.groupings import GROUPINGS

Add = Callable[..., Action]
STYLE: Any = {'formatter_class': RawDescriptionHelpFormatter, 'allow_abbrev': False}
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
RUNTIME = """\
Times training steps of LibMTL's methods side by side in one process: one step of each method in
each round, relative to equal weighting in the same round; medians and quartiles over the rounds.
The models are those of streets (2 tasks), rooms (3), QM9 (11) and CelebA (40) in the small
protocol; the data is random: nothing is read or downloaded."""
COMPARED = """\
Compares: {}. Trains the missing cells as `run` does, with STL and EW;
options that are not listed here go to the training tool."""
COMPARISONS = {
    'groups': 'the effect of the number of groups K',
    'ablation': 'GO4Align without some of Eq. 4, 5, 6 (Table 3)',
    'indicators': 'other methods alone and with AGRM (Table 4)',
    'clusterings': 'other ways of grouping (Table 5)',
}
ANALYSES = {
    'weights': (analyse.draw_weights, 'weights and groups over the epochs (Fig. 5)', ''),
    'convergence': (analyse.draw_convergence, 'when the tasks converge (Fig. 2)', ''),
    **{
        name: (analyse.compare_variants, text, COMPARED.format(text))
        for name, text in COMPARISONS.items()
    },
    'runtime': (analyse.time_methods, 'relative runtime and the number of tasks (Fig. 4)', RUNTIME),
}
COMMANDS = {
    'run': (board.run, 'train the missing cells', RUN),
    'status': (board.status, 'list the cells and their state', ''),
    'report': (board.report, 'print and write the table', REPORT),
    'analyse': (ANALYSES, "make one of the paper's analyses", ANALYSE),
    'export': (board.export_results, 'write the results to one file', ''),
    'import': (board.import_results, "add another machine's exported results", ''),
}


def build_parser() -> ArgumentParser:
    """Build the command line."""
    parser = ArgumentParser('leaderboard.py', None, COMPARE, EXAMPLES, **STYLE)
    adds = _add_commands(parser, 'COMMAND', COMMANDS)
    _add_training(adds['run'])
    adds['run']('--methods', nargs='+', metavar='METHOD', help=METHODS)
    for name in ('status', 'export', 'import'):
        adds[name]('folder', type=Path, help="the leaderboard's")
    adds['export']('--out', type=Path, required=True, help='the file, FILE.jsonl')
    adds['import']('files', type=Path, nargs='+', metavar='FILE', help='exported results')
    add = adds['report']
    meaning = 'leaderboards, results.jsonl, run folders (of one benchmark); or one table.csv'
    add('sources', nargs='+', type=Path, metavar='SOURCE', help=meaning)
    add('--out', type=Path, metavar='DIR', help='where to write it (only printed)')
    add('--formats', nargs='+', choices=FORMATS, default=list(FORMATS), help='to write (all)')
    add('--last', type=int, default=10, help='epochs to average at the end (10)')
    add('--best', action='store_true', help="add a table of each run's best epoch on the test set")
    add('--published', action='store_true', help="add the GO4Align paper's rows, marked as such")
    add('--benchmark', choices=BENCHMARKS, help='that table.csv is of (by its columns)')
    for name in ('weights', 'convergence'):
        add = adds[name]
        add('folder', type=Path, help='a leaderboard')
        add('--methods', nargs='+', metavar='METHOD', help='as the report names them (all)')
        _add_picture(add, f' (FOLDER/{name}.png)')
    adds['weights']('--seed', type=int, help='whose runs to draw (the lowest of each method)')
    add = adds['convergence']
    add('--share', type=float, default=0.95, help='of its progress makes a metric converged (0.95)')
    add('--window', type=int, default=5, help='epochs whose mean smooths a metric (5)')
    for name in COMPARISONS:
        add = adds[name]
        _add_training(add)
        _add_picture(add, f'; the table is put beside it as .md (OUT/{name}.png)')
        add('--last', type=int, default=10, help='epochs to average at the end (10)')
        if name != 'groups':
            meaning = "where tasks are grouped (the paper's, below M)"
            add('--num-groups', type=int, metavar='K', help=meaning)
    adds['groups']('--groups', nargs='+', type=int, metavar='K', help='(1 to all tasks)')
    meaning = f'(those of {", ".join(INDICATORS)} that LibMTL has)'
    adds['indicators']('--indicators', nargs='+', metavar='METHOD', help=meaning)
    adds['clusterings']('--clusterings', nargs='+', choices=GROUPINGS, help='(all installed ones)')
    add, counts = adds['runtime'], analyse.COUNTS
    add('--methods', nargs='+', help=f'(those of {", ".join(analyse.TIMED)} that LibMTL has)')
    add('--tasks', nargs='+', type=int, choices=counts, default=counts, help='(2 3 11 40)')
    add('--repeats', type=int, default=20, help='rounds after two to warm up (20)')
    add('--batch-size', type=int, help="samples a step (the small protocol's)")
    add('--device', help='cpu, cuda:1, ... (a GPU where there is one)')
    add('--json', type=Path, default=Path('runtime.json'), help='all figures (runtime.json)')
    _add_picture(add, ' (the name of --json with .png)')
    return parser


def _add_commands(parser: ArgumentParser, kind: str, table: Mapping[str, Any]) -> dict[str, Add]:
    """Add commands, each with its function or its own commands; return their add_argument."""
    commands, adds = parser.add_subparsers(required=True, metavar=kind), {}
    for name, (command, meaning, text) in table.items():
        text = text or f'{meaning[0].upper()}{meaning[1:]}.'
        own = commands.add_parser(name, help=meaning, description=text, **STYLE)
        own.set_defaults(command=command, analysis=name)
        adds[name] = own.add_argument
        if isinstance(command, dict):
            adds.update(_add_commands(own, 'ANALYSIS', command))
    return adds


def _add_training(add: Add) -> None:
    """Add the options of `run`, all but the methods; the rest goes to the training tool."""
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
    meaning = 'of the jobs: slurm_partition=gpu gpus_per_node=1 cpus_per_task=8 timeout_min=600'
    add('--cluster-options', nargs='+', default=[], metavar='KEY=VALUE', help=meaning)
    add('--retry', action='store_true', help='try failed cells again')


def _add_picture(add: Add, default: str) -> None:
    add('--picture', type=_picture, metavar='FILE', help=f'.png, .pdf or .svg{default}')


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in ('.png', '.pdf', '.svg'):  # refused before hours of training
        raise ArgumentTypeError(f'should end in .png, .pdf or .svg. Found `{text}`.')
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    options.rest = rest
    if rest and options.command not in (board.run, analyse.compare_variants):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    try:
        status = options.command(options)
        sys.stdout.flush()
        return status or 0
    except KeyboardInterrupt:
        print('leaderboard.py: stopped: the same command goes on.', file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has seen enough, as in `report ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        plain = (ValueError, ImportError, OSError)
        message = explain(error, 'the same command then goes on', plain)
        if message is None:
            raise
        lines = map(printable, message.split('\n'))
        print('leaderboard.py: error:', '\n'.join(lines), file=sys.stderr)
        return 2
