"""Test a model of MMSegmentation; `python tools/test_mmseg.py --help` explains."""

import sys

from go4align_plugins.mmseg.apis.test import main

if __name__ == '__main__':
    sys.exit(main())
