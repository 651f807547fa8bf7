"""Train dense prediction in LibMTL; `python tools/train_libmtl.py --help` explains."""

import sys

from go4align_plugins.libmtl.train import main

if __name__ == '__main__':
    sys.exit(main())
