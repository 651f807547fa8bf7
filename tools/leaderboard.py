"""Compare weighting methods; `python tools/leaderboard.py --help` explains."""

import sys

from go4align_plugins.leaderboard.cli import main

if __name__ == '__main__':
    sys.exit(main())
