"""The training tool: from a config to a run, by the conventions of mmseg's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from go4align_plugins.mmengine.saving import find_checkpoint
from go4align_plugins.mmseg.apis.launch import dicts_in, new_parser, run_tool
from go4align_plugins.utils.options import check_choice

WRAPPERS = ('OptimWrapper', 'GO4AlignOptimWrapper', 'AmpOptimWrapper', 'GO4AlignAmpOptimWrapper')
EPILOG = """\
examples:
  python tools/prepare_data.py rooms --out data/rooms
  python tools/train_mmseg.py configs/segnet/segnet-small_go4align_rooms-96x128.py
  python tools/train_mmseg.py configs/segformer/segformer_mit-b0_go4align_nyuv2-288x384.py \\
      --work-dir runs/go4align --amp --cfg-options randomness.seed=1
  python tools/train_mmseg.py configs/segnet/segnet-small_ew_rooms-96x128.py --tasks depth
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of ``tools/train_mmseg.py``."""
    about = "Train a model in MMSegmentation, by a config of this package's or of mmseg's."
    parser = new_parser('train_mmseg.py', about, EPILOG)
    parser.add_argument('--resume', action='store_true', help='go on from the latest checkpoint')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (needs a GPU)')
    parser.add_argument('--no-pretrained', action='store_true', help='download no weights')
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    return run_tool(build_parser(), arguments, _prepare, 'train', 'then go on by --resume')


def _prepare(config: Config, options: argparse.Namespace) -> None:
    if options.amp:
        use_amp(config)
    if options.no_pretrained:
        drop_pretrained(config.model)
    config.resume = options.resume
    if options.resume and (checkpoint := find_checkpoint(config.work_dir)):
        config.load_from = str(checkpoint)


def use_amp(config: Config) -> None:
    """Turn a config's optimizer wrapper into the one with automatic mixed precision."""
    wrapper = config.optim_wrapper
    check_choice('optim_wrapper.type', wrapper.type, WRAPPERS, ' for `--amp`')
    if 'Amp' not in wrapper.type:
        wrapper.type = wrapper.type.replace('OptimWrapper', 'AmpOptimWrapper')
        wrapper.setdefault('loss_scale', 'dynamic')


def drop_pretrained(model: Any) -> None:
    """Remove all that would load weights before training, at any depth of a model's config."""
    for each in dicts_in(model):
        each.pop('pretrained', None)
        init = each.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            # Not removed: some backbones have weights to load by default.
            each['init_cfg'] = None
