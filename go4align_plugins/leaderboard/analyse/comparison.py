"""Compare variants by a leaderboard's store: a table, and each figure of each seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.analyse.variants import Variant
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import DELTA_M
from go4align_plugins.leaderboard.report.sources import failure_of
from go4align_plugins.leaderboard.report.table import Key
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK, Run
from go4align_plugins.leaderboard.run.store import Entry


@dataclass(frozen=True)
class Comparison:
    """A table with a row a variant, and the labels of variants without a finished run."""

    report: Report
    missing: tuple[str, ...]

    def values(self, label: str, key: Key) -> list[float]:
        """Return one figure of a variant in each seed; empty where it has no run."""
        rows = (row for row in self.report.rows if row.method == label)
        return next((list(row.values.get(key, {}).values()) for row in rows), [])


def compare(
    entries: Iterable[Entry], variants: Sequence[Variant], benchmark: Benchmark, last: int = 10
) -> Comparison:
    """Compare variants with each other and with equal weighting, over the last epochs.

    Raises:
        ValueError: if nothing is left to compare, or a single-task run, which delta_m needs, is
            missing.
    """
    entries = list(entries)
    labels = {EQUAL_WEIGHTING: EQUAL_WEIGHTING, **{v.label: v.spec for v in variants}}
    runs: dict[str, list[Run]] = {
        label: [_renamed(e.run, label) for e in entries if e.finished and e.method == spec]
        for label, spec in labels.items()
    }
    missing = tuple(label for label, found in runs.items() if not found)
    failures = [
        failure_of(entry, label)
        for label, spec in {SINGLE_TASK: SINGLE_TASK, **labels}.items()
        for entry in entries
        if not entry.finished and entry.method == spec
    ]
    listed = ''.join(f'\n  {failure}' for failure in failures)
    if not any(runs[variant.label] for variant in variants):
        raise ValueError(f'There is nothing to compare: {", ".join(missing)} failed.{listed}')
    present = [run for found in runs.values() for run in found]
    baselines = [e.run for e in entries if e.finished and e.method == SINGLE_TASK]
    report = build_report(present, baselines, benchmark, last, failures=failures)
    if not any(DELTA_M in row.means for row in report.rows):
        raise ValueError(f'This comparison is by delta_m. {report.notes[0]}{listed}')
    return Comparison(report, missing)


def _renamed(run: Run, label: str) -> Run:
    return replace(run, config={**run.config, 'weighting': label, 'weight_args': {}})
