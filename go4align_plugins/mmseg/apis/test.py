"""The testing tool: the metrics of a checkpoint, and pictures of what it predicts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from go4align_plugins.mmseg.apis.launch import add_launch_options, load_config, start
from go4align_plugins.utils.files import DataError, explain

EPILOG = """\
example:
  python tools/test_mmseg.py configs/segnet/segnet-small_go4align_rooms-96x128.py \\
      work_dirs/segnet-small_go4align_rooms-96x128/epoch_12.pth --show-dir pictures
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of ``tools/test_mmseg.py``."""
    parser = argparse.ArgumentParser(
        prog='test_mmseg.py',
        description='Test a model of MMSegmentation, and draw its predictions beside the truth.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('--work-dir', help='where the metrics go, as json (work_dirs/CONFIG)')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='where pictures go: DIR/vis_data/vis_image')
    parser.add_argument(
        '--interval', type=int, default=1, help='draw the frames of every n-th batch (1)'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds that a window is shown (2)'
    )
    add_launch_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        config = load_config(options)
        if not Path(options.checkpoint).exists() and '://' not in options.checkpoint:
            raise FileNotFoundError(f'{options.checkpoint}: there is no such checkpoint.')
        config.load_from = options.checkpoint
        if options.show or options.show_dir:
            draw_predictions(config, options)
    except (ValueError, FileNotFoundError, ImportError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 2
    try:
        start(config, 'test')
    except (OSError, ValueError, RuntimeError) as error:
        told = explain(error, 'then test again', (FileNotFoundError, DataError))
        if told is None:
            raise
        print(f'{parser.prog}: error: {told}', file=sys.stderr)
        return 2
    return 0


def draw_predictions(config: Config, options: argparse.Namespace) -> None:
    """Turn on the hook that draws.

    Raises:
        ValueError: if the config has none, or ``interval`` is less than 1.
    """
    hook = config.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise ValueError(
            'Parameter `default_hooks` should have a `visualization`, such as '
            '`dict(type="MTLVisualizationHook")`, for `--show` and `--show-dir`. Found none.'
        )
    if options.interval < 1:
        raise ValueError(
            f'Parameter `interval` should be at least 1. Found `interval = {options.interval}`.'
        )
    hook.update(draw=True, interval=options.interval)
    if options.show:
        hook.update(show=True, wait_time=options.wait_time)
    if options.show_dir:
        config.visualizer.save_dir = options.show_dir
