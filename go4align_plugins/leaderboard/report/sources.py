"""Read results from leaderboards, stores and run folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from go4align_plugins.leaderboard.report.table import Failure
from go4align_plugins.leaderboard.run.plan import PLAN, load_plan
from go4align_plugins.leaderboard.run.runs import Run, load_run
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store


def load_results(paths: Iterable[str | Path]) -> tuple[list[Run], list[Failure]]:
    """Read finished runs, and failed ones.

    Each path is a leaderboard, whose results come in the order of its plan, a store (``.jsonl``) or
    a run folder.

    Raises:
        ValueError: if a path is none of these, or a run is broken; the message names it.
        OSError: if a store cannot be read.
    """
    runs, failures = [], []
    for path in map(Path, paths):
        store = path if path.suffix == '.jsonl' else path / RESULTS
        if not store.is_file():
            if path.suffix == '.jsonl' or not (path / 'config.json').is_file():
                raise ValueError(
                    f'{path} should be a leaderboard (a folder with {RESULTS}), a store or a run '
                    f'folder (with config.json). Found {"neither" if path.exists() else "nothing"}.'
                )
            runs.append(load_run(path))
            continue
        cells = load_plan(store.parent).cells() if store.with_name(PLAN).exists() else []
        places = {cell.name: place for place, cell in enumerate(cells)}
        entries = Store(store).entries().values()
        for entry in sorted(entries, key=lambda entry: places.get(entry.cell, len(places))):
            if entry.finished:
                runs.append(entry.run)
            else:
                failures.append(failure_of(entry, entry.method))
    return runs, failures


def failure_of(entry: Entry, label: str) -> Failure:
    """Describe a failed entry under a method's name."""
    name = label if entry.task is None else f'{label} ({entry.task})'
    return Failure(name, entry.seed, entry.reason or 'not recorded', entry.log or 'none')
