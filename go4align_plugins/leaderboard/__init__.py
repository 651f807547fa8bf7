"""Train, compare and draw weighting methods, whatever framework trains them.

Three rooms, each of which imports the ones before it alone: ``run`` (plan -> cells -> processes or
Slurm -> store) <- ``report`` (runs -> scores -> one table -> Markdown, CSV, LaTeX, HTML) <-
``analyse`` (groups, ablation, indicators, clusterings, weights, convergence, runtime); ``cli`` is
their command line.
"""

from go4align_plugins.leaderboard.analyse.pictures import (
    learning_curves,
    predictions_grid,
    weights_heatmap,
)
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.csv_results import published_runs, report_of_table
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.run.runs import Run, load_run

__all__ = [
    'Report',
    'Run',
    'build_report',
    'learning_curves',
    'load_run',
    'predictions_grid',
    'published_runs',
    'report_of_table',
    'weights_heatmap',
]
