"""Draws runs: weights as a heat map, test metrics as curves, or predictions beside the truth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import (
    Run,
    learning_curves,
    load_run,
    predictions_grid,
    weights_heatmap,
)

EXAMPLE = """examples:
  python tools/plot.py weights runs/uw runs/go4align --out weights.png
  python tools/plot.py curves runs/stl-* runs/ew runs/go4align --out curves.png
  python tools/plot.py predictions runs/ew runs/go4align --frames 0 7 --out predictions.png"""


def draw_predictions(runs: Sequence[Run], path: str, frames: Sequence[int]) -> None:
    """Draw test frames, with what each run predicts; runs of one label share a column."""
    from go4align_plugins.libmtl.train import predict

    benchmark = get_benchmark(runs[0].config['benchmark'])
    rows: list[dict] = [{'truth': {}, 'predictions': {}} for _ in frames]
    for run in runs:
        truths, outputs = predict(run.folder, dict(run.config), frames)
        for row, truth, output in zip(rows, truths, outputs):
            row['image'] = truth.pop('image')
            row['truth'].update(truth)
            row['predictions'].setdefault(run.label, {}).update(output)
    predictions_grid(rows, path, benchmark)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pictures = ('weights', 'curves', 'predictions')
    parser.add_argument('picture', choices=pictures, help='what to draw')
    parser.add_argument('runs', nargs='+', metavar='RUN', help='a run folder')
    parser.add_argument('--out', metavar='FILE', required=True, help='the picture, as .png or .pdf')
    parser.add_argument(
        '--frames', type=int, nargs='+', default=(0, 1, 2), help='test frames to predict (0 1 2)'
    )
    options = parser.parse_args(arguments)
    try:
        runs = [load_run(folder) for folder in options.runs]
        if options.picture == 'weights':
            weights_heatmap(runs, options.out)
        elif options.picture == 'curves':
            learning_curves(runs, options.out)
        else:
            draw_predictions(runs, options.out, options.frames)
    except (ValueError, OSError, ImportError) as error:
        parser.exit(2, f'error: {error}\n')
    print(f'wrote {options.out}')


if __name__ == '__main__':
    main()
