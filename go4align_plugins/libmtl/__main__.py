"""``python -m go4align_plugins.libmtl SCRIPT``: see :mod:`go4align_plugins.libmtl.launcher`."""

import sys

from go4align_plugins.libmtl.launcher import main

if __name__ == '__main__':
    sys.exit(main())
