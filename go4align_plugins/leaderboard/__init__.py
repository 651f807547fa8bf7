"""From run folders to tables and pictures, whatever framework trained the runs."""

from go4align_plugins.leaderboard.analyse.pictures import learning_curves, weights_heatmap
from go4align_plugins.leaderboard.analyse.predictions import predictions_grid
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.published import published_runs
from go4align_plugins.leaderboard.report.table import Report
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
