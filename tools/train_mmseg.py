"""Train a model in MMSegmentation; `python tools/train_mmseg.py --help` explains."""

import sys

from go4align_plugins.mmseg.apis.train import main

if __name__ == '__main__':
    sys.exit(main())
