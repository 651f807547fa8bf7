"""Draws runs: the weights of their tasks as a heat map, or their test metrics as curves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from go4align_plugins.leaderboard import learning_curves, load_run, weights_heatmap

EXAMPLE = """examples:
  python tools/plot.py weights runs/uw runs/go4align --out weights.png
  python tools/plot.py curves runs/stl-* runs/ew runs/go4align --out curves.png"""

PICTURES = {'weights': weights_heatmap, 'curves': learning_curves}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('picture', choices=PICTURES, help='what to draw')
    parser.add_argument('runs', nargs='+', metavar='RUN', help='a run folder')
    parser.add_argument('--out', metavar='FILE', required=True, help='the picture, as .png or .pdf')
    options = parser.parse_args(arguments)
    try:
        PICTURES[options.picture]([load_run(folder) for folder in options.runs], options.out)
    except (ValueError, OSError, ImportError) as error:
        parser.exit(2, f'error: {error}\n')
    print(f'wrote {options.out}')


if __name__ == '__main__':
    main()
