"""Run ``tools/leaderboard.py`` as ``python -m go4align_plugins.leaderboard``."""

import sys

from go4align_plugins.leaderboard.cli import main

if __name__ == '__main__':
    sys.exit(main())
