"""Read a config, make it run where it is started, and start it: the part that the tools share."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmseg.registry import METRICS

from go4align_plugins.utils.files import DataError, explain, find_damage
from go4align_plugins.utils.options import require
from go4align_plugins.utils.run_folder import RunFolderError

PACKAGE = 'go4align_plugins'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')


def new_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """The command line of a tool, with the options of all tools."""
    parser = argparse.ArgumentParser(prog, None, description, epilog, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--work-dir', help='where logs and checkpoints go (work_dirs/CONFIG)')
    add_launch_options(parser)
    return parser


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that mmseg's own tools share."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config: model.num_classes=7 key="[a,b]" '
        'key="[(a,b),(c,d)]", quoted and without white space',
    )
    parser.add_argument('--tasks', nargs='+', metavar='TASK', help='of the model (all)')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes (none: there is one); without GPUs, pytorch',
    )
    # torch.distributed.launch passes it; torchrun sets the environment variable.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def run_tool(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    prepare: Callable[[Config, argparse.Namespace], None],
    method: str,
    onward: str,
) -> int:
    """Load a config, prepare it by the tool's options, and start it; return the exit status."""
    options = parser.parse_args(arguments)
    plain: tuple[type[Exception], ...] = (ValueError, FileNotFoundError, ImportError)
    try:
        config = load_config(options)
        prepare(config, options)
        plain = (FileNotFoundError, DataError, RunFolderError)
        start(config, method)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        message = explain(error, onward, plain)
        if message is None:
            raise
        print(f'{parser.prog}: error: {message}', file=sys.stderr)
        return 2
    return 0


def load_config(options: argparse.Namespace) -> Config:
    """Read the config that a command line asks for, and prepare it for this machine.

    In this order: ``--cfg-options``, ``--tasks``, then ``--work-dir``, or ``work_dirs/<name of the
    config>``, with the chosen tasks, if the config names none. Without GPUs several processes talk
    by gloo, and synchronised batch normalisation, which needs GPUs, becomes the plain one.

    Args:
        options: with ``config``, ``work_dir``, and those of :func:`add_launch_options`.

    Raises:
        FileNotFoundError: if the config is missing.
        ValueError: if the model has no head for a task, or the launcher needs absent GPUs.
    """
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    register_package()
    config = Config.fromfile(options.config)
    for each in dicts_in(list(config.values())):
        # MMEngine's mark of parts inherited by `go4align_plugins::`, which mmseg's registry has.
        if each.get('_scope_') == PACKAGE:
            each['_scope_'] = 'mmseg'
    config.launcher = options.launcher
    config.merge_from_dict(options.cfg_options or {})
    if options.tasks is not None:
        select_tasks(config, options.tasks)
    name = '_'.join([Path(options.config).stem, *(options.tasks or ())])
    config.work_dir = options.work_dir or config.get('work_dir') or str(Path('work_dirs', name))
    if not torch.cuda.is_available():
        for each in dicts_in(config.model):
            if each.get('type') in ('SyncBN', 'mmseg.SyncBN'):
                each['type'] = 'BN'
        if options.launcher != 'none':
            rule = 'be none or pytorch on a machine without GPUs'
            require(options.launcher == 'pytorch', 'launcher', rule, options.launcher)
            # MMEngine's own start would choose a GPU for each process.
            torch.distributed.init_process_group('gloo')
            config.model_wrapper_cfg = {'type': 'MMDistributedDataParallel', 'device_ids': None}
            config.pop('sync_bn', None)
    return config


def select_tasks(config: Config, tasks: Sequence[str]) -> None:
    """Leave only some tasks of the model in a config: heads, targets and metrics."""
    known = list(config.model.get('heads', {}))
    rule = f'name heads of the model: {", ".join(known) or "none"}'
    require(bool(tasks) and set(tasks) <= set(known), 'tasks', rule, list(tasks))
    config.model.tasks = list(tasks)
    for loader in filter(config.get, LOADERS):
        config[loader].dataset.tasks = list(tasks)
    for evaluator in filter(config.get, EVALUATORS):
        if metrics := config[evaluator].get('metrics'):
            config[evaluator].metrics = [each for each in metrics if _task_of(each) in tasks]


def _task_of(metric: dict[str, Any]) -> str | None:
    return metric.get('task') or getattr(METRICS.get(metric['type']), 'default_prefix', None)


def start(config: Config, method: str) -> None:
    """Build the Runner of a config, let it ``'train'`` or ``'test'``, and leave the processes."""
    require_whole({name: config.get(name) for name in ('load_from', 'model')})
    runner = RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)
    getattr(runner, method)()
    # Gloo's threads drop tensors that Python knows, which aborts a process whose Python has ended.
    # They end with the process group: when nothing holds it, not even the Runner's model.
    del runner
    if torch.distributed.is_initialized() and torch.distributed.get_backend() == 'gloo':
        gc.collect()
        torch.distributed.destroy_process_group()


def require_whole(config: dict[str, Any]) -> None:
    """Refuse local files of weights, anywhere in a config, that are damaged or other text."""
    texts = {value for each in dicts_in(config) for value in each.values() if type(value) is str}
    for path in (Path(text) for text in sorted(texts) if text.endswith(('.pth', '.pt'))):
        if path.is_file() and (damage := find_damage(path, legacy=True)):
            raise DataError(f'{path}: should hold weights. Found: {damage}.')


def register_package() -> None:
    """Let configs inherit this package's by ``'go4align_plugins::...'``, and the fork's mmseg's."""
    MODULE2PACKAGE.setdefault(PACKAGE, 'go4align-plugins')
    try:
        importlib.metadata.distribution('mmsegmentation')
    except importlib.metadata.PackageNotFoundError:
        MODULE2PACKAGE['mmseg'] = 'onedl-mmsegmentation'


def dicts_in(config: Any) -> Iterator[Any]:
    """All dicts of a config, at any depth of dicts and lists, the outer ones first."""
    if isinstance(config, dict):
        yield config
    if isinstance(config, (dict, list, tuple)):
        for child in list(config.values()) if isinstance(config, dict) else config:
            yield from dicts_in(child)
