"""Run an unchanged LibMTL script with GO4Align registered: on any device, with either release."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.trainer import Trainer

EPILOG = """\
examples:
  python -m go4align_plugins.libmtl examples/nyu/main.py --weighting GO4Align \\
      --dataset_path /data/nyuv2 --scheduler step
  python -m go4align_plugins.libmtl --device cpu --no-pretrained examples/cityscapes/main.py \\
      --weighting GO4Align --dataset_path /data/cityscapes --train_bs 8
"""


class RelativeFinder(MetaPathFinder):
    """Finder of modules in relative entries of ``sys.path``, seen from the script's folder.

    LibMTL's CityScapes example appends ``../nyu``, which Python resolves from the working
    directory. With this finder the example runs from anywhere.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a top-level module that no other finder has found."""
        if path is not None:
            return None
        relative = [entry for entry in sys.path if entry and not Path(entry).is_absolute()]
        return PathFinder.find_spec(fullname, [str(self.folder / entry) for entry in relative])


def main(arguments: Sequence[str] | None = None) -> int:
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
    options = parser.parse_args(arguments)
    if not options.script.is_file():
        parser.error(f'Parameter `script` should be a file. Found `{options.script}`.')
    if options.device:
        Trainer.default_device = torch.device(options.device)
    if options.no_pretrained:
        skip_pretrained()
    run(options.script, options.options)
    return 0


def skip_pretrained() -> None:
    """Make LibMTL's ResNets begin from random weights, whatever a script asks for."""
    resnet: Any = sys.modules[f'{import_libmtl().__name__}.model.resnet']
    build = resnet._resnet

    def untrained(
        arch: str, block: type, layers: list[int], _: bool, progress: bool, **options: Any
    ) -> torch.nn.Module:
        return build(arch, block, layers, False, progress, **options)

    resnet._resnet = untrained


def run(script: Path, options: Sequence[str]) -> None:
    """Run a script as Python does: its folder comes first on the path, its name in ``sys.argv``."""
    folder = script.resolve().parent
    sys.argv = [str(script), *options]
    sys.path.insert(0, str(folder))
    sys.meta_path.append(RelativeFinder(folder))
    runpy.run_path(str(script), run_name='__main__')
