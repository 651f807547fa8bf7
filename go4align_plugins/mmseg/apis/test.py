"""The testing tool: the metrics of a checkpoint, and pictures of its predictions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from go4align_plugins.mmseg.apis.launch import new_parser, run_tool
from go4align_plugins.utils.options import check_whole, require

EPILOG = """\
example:
  python tools/test_mmseg.py configs/segnet/segnet-small_go4align_rooms-96x128.py \\
      work_dirs/segnet-small_go4align_rooms-96x128/epoch_12.pth --show-dir pictures
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    about = 'Test a model of MMSegmentation, and draw its predictions beside the truth.'
    parser = new_parser('test_mmseg.py', about, EPILOG)
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='where pictures go: DIR/vis_data/vis_image')
    parser.add_argument('--interval', type=int, default=1, help='draw every n-th batch (1)')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds to show it (2)')
    return run_tool(parser, arguments, _prepare, 'test', 'then test again')


def _prepare(config: Config, options: argparse.Namespace) -> None:
    if not Path(options.checkpoint).exists() and '://' not in options.checkpoint:
        raise FileNotFoundError(f'{options.checkpoint}: there is no such checkpoint.')
    config.load_from = options.checkpoint
    if not options.show and not options.show_dir:
        return
    hook = config.get('default_hooks', {}).get('visualization')
    rule = 'be `dict(type="MTLVisualizationHook")` or another hook for `--show` and `--show-dir`'
    require(hook is not None, 'default_hooks.visualization', rule, hook)
    hook.update(draw=True, interval=check_whole('interval', options.interval, 1, float('inf')))
    if options.show:
        hook.update(show=True, wait_time=options.wait_time)
    if options.show_dir:
        config.visualizer.save_dir = options.show_dir
