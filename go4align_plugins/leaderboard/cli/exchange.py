"""Run ``leaderboard.py export`` and ``import``: join the results of several machines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from go4align_plugins.leaderboard.cli.options import add_command
from go4align_plugins.leaderboard.report.sources import check_shared
from go4align_plugins.leaderboard.run.plan import PLAN, Method, Plan, load_plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store
from go4align_plugins.utils.files import save_bytes


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands ``export`` and ``import``."""
    out = add_command(subparsers, 'export', _export, 'write the results to one file', '')
    out.add_argument('folder', type=Path, help="the leaderboard's")
    out.add_argument('--out', type=Path, required=True, help='the file, FILE.jsonl')
    into = add_command(subparsers, 'import', _import, "add another machine's exported results", '')
    into.add_argument('folder', type=Path, help="the leaderboard's")
    into.add_argument('files', type=Path, nargs='+', metavar='FILE', help='exported results')


def _export(options: argparse.Namespace) -> int:
    entries = _read(options.folder / RESULTS)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(options.out, b''.join(entry.line for entry in entries))
    print(f'{options.out}: {len(entries)} cells')
    return 0


def _import(options: argparse.Namespace) -> int:
    """Read and check all files before anything is added."""
    store = Store(options.folder / RESULTS)
    plan = load_plan(options.folder)
    incoming = [entry for file in options.files for entry in _read(file)]
    everything = (*store.entries().values(), *incoming)
    check_shared([entry.run for entry in everything if entry.finished])
    _extended(plan, incoming)
    added, differing = store.join(incoming)
    save_plan(_extended(plan, added), options.folder / PLAN)
    print(f'{options.folder}: {len(added)} of {len(incoming)} cells added.')
    for entry in differing:
        message = 'is finished here already, with other figures: kept as it is.'
        print(f'  {entry.cell} {message}', file=sys.stderr)
    return 0


def _extended(plan: Plan, entries: Sequence[Entry]) -> Plan:
    if not entries:
        return plan
    methods = tuple(Method.parse(entry.method) for entry in entries)
    return plan.extended(replace(plan, methods=methods, seeds=tuple(e.seed for e in entries)))


def _read(path: Path) -> list[Entry]:
    if not path.is_file():
        raise ValueError(f'{path} should be a file of results. Found none.')
    return list(Store(path).entries().values())
