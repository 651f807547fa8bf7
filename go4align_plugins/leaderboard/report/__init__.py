"""Report results: runs -> scores -> one table -> Markdown, CSV, LaTeX, HTML."""

from go4align_plugins.leaderboard.report.build import build_report

__all__ = ['build_report']
