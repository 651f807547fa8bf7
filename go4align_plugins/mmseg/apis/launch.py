"""Read a config, and make it run where it is started: the part that the tools share."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmseg.registry import METRICS

from go4align_plugins.utils.files import DataError, find_damage

PACKAGE, DISTRIBUTION = 'go4align_plugins', 'go4align-plugins'
MMSEG_FORK = 'onedl-mmsegmentation'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')


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
    parser.add_argument(
        '--tasks', nargs='+', metavar='TASK', help='of the model (all); one is a baseline'
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes (none: there is one); without GPUs, pytorch',
    )
    # torch.distributed.launch passes it; torchrun sets the environment variable.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def select_tasks(config: Config, tasks: Sequence[str]) -> None:
    """Leave only some tasks in a config: heads, targets and metrics.

    Raises:
        ValueError: if the model has no head for one of them.
    """
    known = list(config.model.get('heads', {}))
    unknown = [task for task in tasks if task not in known]
    if unknown or not tasks:
        raise ValueError(
            f'Parameter `tasks` should name heads of the model: {", ".join(known) or "none"}. '
            f'Found `tasks = {list(tasks)}`.'
        )
    config.model.tasks = list(tasks)
    for loader in LOADERS:
        if config.get(loader):
            config[loader].dataset.tasks = list(tasks)
    for evaluator in EVALUATORS:
        metrics = (config.get(evaluator) or {}).get('metrics', [])
        prefixes = [getattr(METRICS.get(each['type']), 'default_prefix', None) for each in metrics]
        if metrics:
            kept = [each for each, prefix in zip(metrics, prefixes) if prefix in tasks]
            config[evaluator].metrics = kept


def load_config(options: argparse.Namespace) -> Config:
    """Read the config that a command line asks for, and prepare it for this machine.

    In this order: ``--cfg-options``, ``--tasks``, then ``--work-dir``, or ``work_dirs/<name of the
    config>``, with the chosen tasks, if the config names none. Without GPUs several processes talk
    by gloo, and synchronised batch normalisation, which needs GPUs, becomes the plain one.

    Args:
        options: with ``config``, ``work_dir``, and those of :func:`add_launch_options`.

    Raises:
        FileNotFoundError: if there is no such config.
        ValueError: if the model has no head for a task, or the launcher needs absent GPUs.
    """
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    register_package()
    config = Config.fromfile(options.config)
    # What is inherited by `go4align_plugins::` is marked so, but is registered in mmseg's registry.
    replace_in(list(config.values()), '_scope_', {PACKAGE: 'mmseg'})
    config.launcher = options.launcher
    if options.cfg_options is not None:
        config.merge_from_dict(options.cfg_options)
    if options.tasks is not None:
        select_tasks(config, options.tasks)
    if options.work_dir is not None:
        config.work_dir = options.work_dir
    elif config.get('work_dir') is None:
        name = '_'.join([Path(options.config).stem, *(options.tasks or ())])
        config.work_dir = str(Path('work_dirs', name))
    if not torch.cuda.is_available():
        replace_in(config.model, 'type', {'SyncBN': 'BN', 'mmseg.SyncBN': 'BN'})
        if options.launcher != 'none':
            _use_gloo(config)
    return config


def start(config: Config, method: str) -> None:
    """Build the Runner of a config, let it work, and leave the other processes.

    Gloo's threads drop tensors that Python knows, which aborts a process whose Python has ended.
    They end with the process group: when nothing holds it any longer, neither this module nor the
    Runner's model.

    Args:
        config: as :func:`load_config` returns it.
        method: of the Runner: ``'train'`` or ``'test'``.

    Raises:
        DataError: if a file of weights that the config names is damaged.
    """
    require_whole([config.get('load_from'), config.get('model')])
    runner = RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)
    getattr(runner, method)()
    del runner
    if torch.distributed.is_initialized() and torch.distributed.get_backend() == 'gloo':
        gc.collect()
        torch.distributed.destroy_process_group()


def require_whole(weights: Any) -> None:
    """Refuse files of weights that are damaged, or have other text in their place.

    Args:
        weights: paths, at any depth of dicts and lists; only those of local files are looked at.

    Raises:
        DataError: if one is damaged; the message names it.
    """
    if isinstance(weights, (dict, list, tuple)):
        for each in weights.values() if isinstance(weights, dict) else weights:
            require_whole(each)
    elif isinstance(weights, str) and weights.endswith(('.pth', '.pt')) and Path(weights).is_file():
        damage = find_damage(Path(weights), legacy=True)
        if damage:
            raise DataError(f'{weights}: should hold weights. Found: {damage}.')


def register_package() -> None:
    """Let configs inherit this package's by ``'go4align_plugins::...'``, and the fork's mmseg's."""
    MODULE2PACKAGE.setdefault(PACKAGE, DISTRIBUTION)
    if _is_installed(MMSEG_FORK) and not _is_installed('mmsegmentation'):
        MODULE2PACKAGE['mmseg'] = MMSEG_FORK


def replace_in(config: Any, key: str, replacements: Mapping[Any, Any]) -> None:
    """Replace values under a key, at any depth of dicts and lists, in place."""
    children = config
    if isinstance(config, dict):
        value = config.get(key)
        if isinstance(value, str) and value in replacements:
            config[key] = replacements[value]
        children = list(config.values())
    if isinstance(children, (list, tuple)):
        for child in children:
            replace_in(child, key, replacements)


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _use_gloo(config: Config) -> None:
    if config.launcher != 'pytorch':
        raise ValueError(
            'Parameter `launcher` should be none or pytorch on a machine without GPUs. '
            f'Found `{config.launcher}`.'
        )
    # MMEngine's own start would choose a GPU for each process.
    torch.distributed.init_process_group('gloo')
    config.model_wrapper_cfg = {'type': 'MMDistributedDataParallel', 'device_ids': None}
    config.pop('sync_bn', None)
