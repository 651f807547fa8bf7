"""Run an unchanged LibMTL script with GO4Align registered: on any device, with either release."""

from __future__ import annotations

import argparse
import runpy
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from go4align_plugins.libmtl.trainer import Trainer

EPILOG = """\
examples:
  python -m go4align_plugins.libmtl examples/nyu/main.py --weighting GO4Align \\
      --dataset_path /data/nyuv2 --scheduler step
  python -m go4align_plugins.libmtl --device cpu --no-pretrained examples/cityscapes/main.py \\
      --weighting GO4Align --dataset_path /data/cityscapes --train_bs 8
"""


def main() -> None:
    """Run ``python -m go4align_plugins.libmtl [options] SCRIPT [the script's own options]``."""
    parser = argparse.ArgumentParser(
        prog='python -m go4align_plugins.libmtl',
        description='Run a LibMTL script, unchanged, with GO4Align (and SI) among its weighting '
        'strategies. Options of this launcher come before the script, those of the script after.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('--device', help='cpu, cuda:0, ... (default: the first GPU; the CPU where there is none)')
    add('--no-pretrained', action='store_true', help='begin from random weights, download nothing')
    add('script', type=Path, help='the script to run')
    add('options', nargs=argparse.REMAINDER, help="the script's own options")
    options = parser.parse_args()
    if not options.script.is_file():
        parser.error(f'Parameter `script` should be a file. Found `{options.script}`.')
    if options.device:
        Trainer.default_device = torch.device(options.device)
    if options.no_pretrained:
        resnet: Any = import_module('LibMTL.model.resnet')
        build = resnet._resnet
        resnet._resnet = lambda arch, block, layers, _, *rest, **kwargs: build(
            arch, block, layers, False, *rest, **kwargs
        )
    folder = options.script.resolve().parent

    def find_spec(name: str, path: Any = None, _: Any = None) -> ModuleSpec | None:
        # LibMTL's CityScapes example appends `../nyu`, which Python resolves from the working
        # directory; seen from the script's folder, the example runs from anywhere.
        if path is not None:
            return None
        return PathFinder.find_spec(name, [str(folder / entry) for entry in sys.path if entry])

    # As Python runs a script: its folder comes first on the path, its name in `sys.argv`.
    sys.argv = [str(options.script), *options.options]
    sys.path.insert(0, str(folder))
    sys.meta_path.append(SimpleNamespace(find_spec=find_spec))
    runpy.run_path(str(options.script), run_name='__main__')


if __name__ == '__main__':
    main()
