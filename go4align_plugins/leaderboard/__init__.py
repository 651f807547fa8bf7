"""From run folders to tables and pictures, whatever framework trained the runs."""

from go4align_plugins.leaderboard.entered import report_of_table
from go4align_plugins.leaderboard.pictures import learning_curves, weights_heatmap
from go4align_plugins.leaderboard.predictions import predictions_grid
from go4align_plugins.leaderboard.published import published_runs
from go4align_plugins.leaderboard.report import build_report
from go4align_plugins.leaderboard.runs import Run, load_run
from go4align_plugins.leaderboard.table import Report

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
