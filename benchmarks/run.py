"""Measure how fast the package is; print Markdown tables with the goals beside the figures.

Ratios are medians over interleaved rounds in one process, on one thread of the CPU.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

WEIGHTING = {
    'step': "the weighting step beside the published way (needs the extra 'clustering')",
    'torchjd': "forward and backward beside TorchJD's UW and FAMO (needs torchjd)",
    'memory': 'peak memory of a step with 10,000 tasks',
}
TRAINING = {
    'iteration': 'training iterations of LibMTL beside equal weighting',
    'data': 'reading of frames beside numpy, and the share of a step that waits for it',
    'metrics': "metrics of dense tasks beside LibMTL's example (needs --libmtl)",
}
PARTS = {**WEIGHTING, **TRAINING}
WITH_GOALS = (*WEIGHTING, 'iteration')
PACKAGES = ('torch', 'numpy', 'kmeans-pytorch', 'torchjd', 'LibMTL')


def build_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parts = '\n'.join(f'  {name:10} {text}' for name, text in PARTS.items())
    parser = argparse.ArgumentParser(
        prog='run.py', description=__doc__, epilog=f'parts:\n{parts}', allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add('parts', nargs='*', metavar='PART', help=f'({" ".join(WITH_GOALS)})')
    add('--rounds', type=int, default=20, help='(20)')
    add('--methods', nargs='+', default=['GO4Align'], help="of LibMTL's, for iteration (GO4Align)")
    add('--device', default='cpu', help='for step and torchjd (cpu)')
    add(
        '--libmtl', type=Path, default=os.environ.get('LIBMTL_MAIN'), metavar='DIR',
        help="a checkout of LibMTL's repository, for its examples ($LIBMTL_MAIN)",
    )  # fmt: skip
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f'PART should be of {", ".join(PARTS)}. Found `{unknown[0]}`.')
    if options.rounds < 1:
        parser.error(f'--rounds should be at least 1. Found `{options.rounds}`.')
    if 'metrics' in options.parts and options.libmtl is None:
        parser.error("metrics needs --libmtl, a checkout of LibMTL's repository.")
    import torch

    torch.set_num_threads(1)
    for part in options.parts or WITH_GOALS:
        module = 'benchmarks.weighting' if part in WEIGHTING else 'benchmarks.training'
        print(getattr(import_module(module), part)(options), flush=True)
    print(_describe(options))


def _describe(options: argparse.Namespace) -> str:
    """Name hardware and versions."""
    path = Path('/proc/cpuinfo')
    found = re.search(r'model name\s*: (.+)', path.read_text()) if path.exists() else None
    installed = {each.metadata['Name']: each.version for each in distributions()}
    versions = [f'{name} {installed[name]}' for name in PACKAGES if name in installed]
    processor = found[1] if found else platform.processor() or platform.machine()
    return (
        f'Medians of {options.rounds} rounds; {processor}, {os.cpu_count()} cores, one thread, '
        f'{platform.system()}; Python {platform.python_version()}, {", ".join(versions)}.'
    )


if __name__ == '__main__':
    main()
