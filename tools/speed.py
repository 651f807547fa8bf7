"""Measure how fast the package is; `python tools/speed.py --help` explains."""

import sys

from go4align_plugins.speed.cli import main

if __name__ == '__main__':
    sys.exit(main())
