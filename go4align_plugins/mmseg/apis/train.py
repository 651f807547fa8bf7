"""The training tool: from a config to a run, by the conventions of mmseg's own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from go4align_plugins.mmengine.saving import find_checkpoint
from go4align_plugins.mmseg.apis.launch import add_launch_options, load_config, start
from go4align_plugins.utils.files import DataError, explain
from go4align_plugins.utils.run_folder import RunFolderError

AMP_WRAPPERS = {
    'OptimWrapper': 'AmpOptimWrapper',
    'GO4AlignOptimWrapper': 'GO4AlignAmpOptimWrapper',
}

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
    parser = argparse.ArgumentParser(
        prog='train_mmseg.py',
        description="Train a model in MMSegmentation, by a config of this package's or of mmseg's.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--work-dir', help='where logs and checkpoints go (work_dirs/CONFIG)')
    parser.add_argument(
        '--resume', action='store_true', help='go on from the latest checkpoint in the work dir'
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (needs a GPU)')
    parser.add_argument(
        '--no-pretrained', action='store_true', help='begin from scratch: download no weights'
    )
    add_launch_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        config = load_config(options)
        if options.amp:
            use_amp(config)
        if options.no_pretrained:
            drop_pretrained(config.model)
        config.resume = options.resume
        checkpoint = find_checkpoint(config.work_dir) if options.resume else None
        if checkpoint is not None:
            config.load_from = str(checkpoint)
    except (ValueError, FileNotFoundError, ImportError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 2
    try:
        start(config, 'train')
    except (OSError, ValueError, RuntimeError) as error:
        plain = (FileNotFoundError, DataError, RunFolderError)
        told = explain(error, 'then go on by --resume', plain)
        if told is None:
            raise
        print(f'{parser.prog}: error: {told}', file=sys.stderr)
        return 2
    return 0


def use_amp(config: Config) -> None:
    """Turn a config's optimizer wrapper into the one with automatic mixed precision.

    Raises:
        ValueError: if it is a wrapper that has no such partner.
    """
    wrapper = config.optim_wrapper
    if wrapper.type in AMP_WRAPPERS.values():
        return
    if wrapper.type not in AMP_WRAPPERS:
        raise ValueError(
            f'Parameter `optim_wrapper` should be one of {", ".join(AMP_WRAPPERS)} for `--amp`. '
            f'Found `{wrapper.type}`.'
        )
    wrapper.type = AMP_WRAPPERS[wrapper.type]
    wrapper.setdefault('loss_scale', 'dynamic')


def drop_pretrained(model: Any) -> None:
    """Remove all that would load weights before training, at any depth of a model's config."""
    if isinstance(model, dict):
        model.pop('pretrained', None)
        init = model.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            # Not removed: some backbones have weights to load by default.
            model['init_cfg'] = None
        for child in model.values():
            drop_pretrained(child)
    elif isinstance(model, (list, tuple)):
        for child in model:
            drop_pretrained(child)
