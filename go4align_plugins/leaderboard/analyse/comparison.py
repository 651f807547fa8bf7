"""The variants of a comparison, read from a leaderboard's store: a table, and a figure a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from go4align_plugins.benchmarks.table import Benchmark
from go4align_plugins.leaderboard.analyse.variants import Variant
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.columns import EQUAL_WEIGHTING, SECONDS, TIME
from go4align_plugins.leaderboard.report.scores import DELTA_M
from go4align_plugins.leaderboard.report.sources import failure_of
from go4align_plugins.leaderboard.report.table import Key, Report
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run
from go4align_plugins.leaderboard.run.store import Entry


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        report: the table, a row a variant.
        figures: label -> the figures of each seed.
        missing: labels without a finished run.
    """

    report: Report
    figures: Mapping[str, Sequence[Mapping[Key, float]]]
    missing: tuple[str, ...]

    def values(self, label: str, key: Key) -> list[float]:
        """One figure of a variant in each seed; empty where it has no run."""
        return [figures[key] for figures in self.figures.get(label, ()) if key in figures]


def compare(
    entries: Iterable[Entry], variants: Sequence[Variant], benchmark: Benchmark, last: int = 10
) -> Comparison:
    """Compares variants with each other and with equal weighting.

    Args:
        entries: of a leaderboard's store.
        variants: in the order of the table.
        benchmark: whose metrics are compared.
        last: number of epochs at the end over which test metrics are averaged.

    Raises:
        ValueError: if nothing is left to compare, or a single-task run, which delta_m needs, is
            missing.
    """
    entries = list(entries)
    baselines = [e.run for e in entries if e.finished and e.method == SINGLE_TASK]
    labels = {EQUAL_WEIGHTING: EQUAL_WEIGHTING, **{v.label: v.spec for v in variants}}
    trained = {SINGLE_TASK: SINGLE_TASK, **labels}
    labelled = {
        label: [_named(e.run, label) for e in entries if e.finished and e.method == spec]
        for label, spec in labels.items()
    }
    missing = tuple(label for label, runs in labelled.items() if not runs)
    failures = [
        failure_of(entry, label)
        for label, spec in trained.items()
        for entry in entries
        if not entry.finished and entry.method == spec
    ]
    listed = ''.join(f'\n  {failure}' for failure in failures)
    if not any(labelled[variant.label] for variant in variants):
        raise ValueError(f'There is nothing to compare: {", ".join(missing)} failed.{listed}')
    present = [run for runs in labelled.values() for run in runs]
    report = build_report(present, baselines, benchmark, last, failures=failures)
    if not any(DELTA_M in row.means for row in report.rows):
        raise ValueError(f'This comparison is by delta_m. {report.notes[0]}{listed}')
    seconds = [run.seconds for run in labelled[EQUAL_WEIGHTING]]
    figures = {}
    for label, runs in labelled.items():
        figures[label] = [_figures(run, baselines, benchmark, last) for run in runs]
        for each in figures[label] if seconds else ():
            each[TIME] = each[SECONDS] / fmean(seconds)
    return Comparison(report, figures, missing)


def _named(run: Run, label: str) -> Run:
    """The run under the name that it has in this comparison."""
    return replace(run, config={**run.config, 'weighting': label, 'weight_args': {}})


def _figures(
    run: Run, baselines: Sequence[Run], benchmark: Benchmark, last: int
) -> dict[Key, float]:
    """The figures of one seed, as the table has them of all."""
    rows = build_report([run], baselines, benchmark, last).rows
    return dict(next(row for row in rows if row.method == run.label).means)
