"""Run ``leaderboard.py export`` and ``import``: join the results of several machines."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from go4align_plugins.leaderboard.cli.options import add_command
from go4align_plugins.leaderboard.report.sources import check_shared
from go4align_plugins.leaderboard.run.plan import PLAN, Method, load_plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store
from go4align_plugins.utils.files import save_bytes


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands ``export`` and ``import``."""
    out = add_command(subparsers, 'export', 'write the results to one file', command=_export)
    meaning = "add another machine's exported results"
    into = add_command(subparsers, 'import', meaning, command=_import)
    for parser in (out, into):
        parser.add_argument('folder', type=Path, help="the leaderboard's")
    out.add_argument('--out', type=Path, required=True, help='the file, FILE.jsonl')
    into.add_argument('files', type=Path, nargs='+', metavar='FILE', help='exported results')


def _export(options: argparse.Namespace) -> int:
    entries = _read(options.folder / RESULTS)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(options.out, b''.join(entry.line for entry in entries))
    print(f'{options.out}: {len(entries)} cells')
    return 0


def _import(options: argparse.Namespace) -> int:
    """Read and check all files before anything is added."""
    store, plan = Store(options.folder / RESULTS), load_plan(options.folder)
    incoming = [entry for file in options.files for entry in _read(file)]
    everything = (*store.entries().values(), *incoming)
    check_shared([entry.run for entry in everything if entry.finished])
    methods = (*plan.methods, *(Method.parse(entry.method) for entry in incoming))
    plan = replace(plan, methods=methods, seeds=(*plan.seeds, *(e.seed for e in incoming)))
    added, differing = store.join(incoming)
    save_plan(plan, options.folder / PLAN)
    print(f'{options.folder}: {len(added)} of {len(incoming)} cells added.')
    for entry in differing:
        message = 'is finished here already, with other figures: kept as it is.'
        print(f'  {entry.cell} {message}', file=sys.stderr)
    return 0


def _read(path: Path) -> list[Entry]:
    if not path.is_file():
        raise ValueError(f'{path} should be a file of results. Found none.')
    return list(Store(path).entries().values())
