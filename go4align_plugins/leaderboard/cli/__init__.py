"""Hold the command line of ``tools/leaderboard.py``: one module a command."""

from go4align_plugins.leaderboard.cli.main import main

__all__ = ['main']
