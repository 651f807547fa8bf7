"""Leaves the run folder of LibMTL's side, beside MMEngine's own logs and checkpoints.

The leaderboard need not know which framework trained a model.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop

from go4align_plugins import GO4Align
from go4align_plugins.mmengine.optim_wrapper import TaskOptimWrapper
from go4align_plugins.utils.options import require
from go4align_plugins.utils.run_folder import CONFIG, METRICS, RunFolder, describe_environment

# Of a file that is missing or holds something else.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError)


@HOOKS.register_module()
class RunFolderHook(Hook):
    """Writes an entry of ``metrics.jsonl`` for each validation, and for the training before it.

    An entry is an epoch of the run folder; its ``iteration`` is the number of iterations trained.
    Losses are those of this rank. A resumed run drops entries that it repeats; if it was killed
    between a checkpoint and the validation that was due, which MMEngine would leave out, it makes
    up for it. Among the default hooks, it does not get in the way of a config's own::

        default_hooks = dict(run_folder=dict(type='RunFolderHook', protocol='paper'))

    Args:
        folder: where to write. None (default): the Runner's ``work_dir``.
        protocol: the name of the settings that runs of one table share.
        arch: the name of the architecture. None (default): the type of the model.
        backbone: the name of the backbone. None (default): the type of the model's ``backbone``.
        weighting: the name of the weighting. None (default): the optimizer wrapper's, a
            strategy of LibMTL's by its own name; ``'EW'``, equal weighting, for MMEngine's own.

    Raises:
        ValueError: before training, if the folder holds a run that is not resumed or has other
            options; or if the run has no validation, or no data set of this package.
    """

    # After the checkpoint hook, which has to be ready before a validation is made up for.
    priority = 'LOWEST'

    def __init__(
        self,
        folder: str | Path | None = None,
        protocol: str = 'mmseg',
        arch: str | None = None,
        backbone: str | None = None,
        weighting: str | None = None,
    ) -> None:
        self.folder = folder
        names = {'protocol': protocol, 'arch': arch, 'backbone': backbone, 'weighting': weighting}
        self.names = {part: name for part, name in names.items() if name}
        self._run: RunFolder | None = None  # of the main process, while it trains
        self._count = 0  # entries
        self._recorded = 0  # iterations that they cover

    def before_train(self, runner: Any) -> None:
        """Open the folder, and make up for a validation that is missing in it."""
        dataset, val = runner.train_dataloader.dataset, runner.val_loop
        known = 'benchmark' in getattr(dataset, 'metainfo', {})
        require(known, 'train_dataloader.dataset', 'be of this package', type(dataset).__name__)
        require(val is not None, 'val_dataloader', 'be given for `RunFolderHook`', val)
        done, due = _validations(runner)
        if is_main_process():
            self._open(runner, sum(number <= done for number in due))
        behind = [self._recorded < runner.iter]
        broadcast_object_list(behind)
        if behind[0] and done in due:
            val.run()

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Add an entry; a validation without a training before it leaves none."""
        if self._run is None or runner.iter == self._recorded:
            return
        tasks = runner.train_dataloader.dataset.metainfo['tasks']
        scores: dict[str, dict[str, float]] = {task: {} for task in tasks}
        for name, value in (metrics or {}).items():
            task, _, metric = name.partition('/')
            if task in scores:
                scores[task][metric] = float(value)
        window = runner.iter - self._recorded
        losses, weights, groups = _describe_tasks(runner, tasks, window)
        test_time = _latest(runner, 'val/time', len(runner.val_dataloader)).sum()
        entry = {
            'epoch': self._count,
            'iteration': runner.iter,
            'train': {'loss': losses, 'metrics': {}},
            'test': {'metrics': scores},
            'weights': weights,
            'groups': groups,
            'seconds': {'train': _latest(runner, 'train/time', window).sum(), 'test': test_time},
        }
        self._run.append(entry)
        self._count += 1
        self._recorded = runner.iter

    def _open(self, runner: Any, due: int) -> None:
        """Open the folder of a run that should have ``due`` validations by now."""
        path = Path(self.folder or runner.work_dir)
        config = self._describe(runner)
        # A folder of other validations, or without this hook, does not say how many are due.
        known = False
        with suppress(*UNREADABLE):
            before = json.loads((path / CONFIG).read_bytes())
            known = before['validation'] == config['validation']
        self._run = RunFolder(path, config, runner.iter > 0 or bool(runner.cfg.get('resume')))
        iterations: list[int] = []
        with suppress(*UNREADABLE):
            for line in (path / METRICS).read_bytes().splitlines():
                iterations.append(int(json.loads(line)['iteration']))
        covered = [number for number in iterations if number <= runner.iter]
        self._count = max(len(covered), due - 1 if known else 0)
        self._recorded = max(covered, default=0)
        self._run.keep_until(self._count)

    def _describe(self, runner: Any) -> dict[str, Any]:
        """The options of the run, as plain values."""
        model = runner.model
        while is_model_wrapper(model):
            model = model.module
        train, val = runner.train_dataloader.dataset, runner.val_dataloader.dataset
        wrapper, config = runner.optim_wrapper, runner.cfg
        weighting = type(wrapper).__name__.removesuffix('OptimWrapper').removesuffix('Amp') or 'EW'
        # GO4Align's options are those of the wrapper, or of the hook that puts one in its place.
        hooks = config.get('custom_hooks') or []
        sources = [config.get('optim_wrapper') or {}]
        sources += [hook for hook in hooks if 'GO4AlignHook' in str(hook.get('type'))]
        known = inspect.signature(GO4Align).parameters
        arguments = {name: each[name] for each in sources for name in each if name in known}
        options = {
            'framework': 'mmengine',
            'benchmark': train.metainfo['benchmark'],
            'tasks': train.metainfo['tasks'],
            'weighting': getattr(wrapper, 'weighting_name', weighting),
            'weight_args': getattr(wrapper, 'weight_args', arguments),
            'arch': type(model).__name__,
            'backbone': type(getattr(model, 'backbone', None)).__name__,
            **self.names,
            'epochs': len(_validations(runner)[1]),
            'validation': [runner.train_loop.val_begin, runner.train_loop.val_interval],
            'batch_size': config.get('train_dataloader', {}).get('batch_size'),
            'seed': runner.seed,
            'num_frames': {'train': len(train), 'val': len(val)},
            'model': config.get('model'),
            'optim_wrapper': config.get('optim_wrapper') or {},
            'param_scheduler': config.get('param_scheduler'),
            'data': [config.get(f'{split}_dataloader') for split in ('train', 'val')],
            **describe_environment('torch', 'mmengine', 'mmcv-lite', 'mmcv', 'mmsegmentation'),
        }
        return json.loads(json.dumps(options, default=str))


def _validations(runner: Any) -> tuple[int, list[int]]:
    """The epochs that are done, or iterations if MMEngine counts these; those with a validation."""
    loop = runner.train_loop
    by_iteration = isinstance(loop, IterBasedTrainLoop)
    last = loop.max_iters if by_iteration else loop.max_epochs
    numbers = range(1, last + 1)
    due = [n for n in numbers if n >= loop.val_begin and (n % loop.val_interval == 0 or n == last)]
    return runner.iter if by_iteration else runner.epoch, due


def _describe_tasks(runner: Any, tasks: Sequence[str], window: int) -> tuple[dict, dict, dict]:
    """The mean loss and weight of each task, and the share of its iterations in each group."""
    # All in MMEngine's message hub, which its checkpoints hold: a resumed run has them, too.
    losses, weights, groups = {}, {}, {}
    is_weighted = isinstance(runner.optim_wrapper, TaskOptimWrapper)
    numbers = np.arange(getattr(runner.optim_wrapper, 'num_groups', None) or 0)
    names = [name for name in runner.message_hub.log_scalars if 'loss' in name]
    for task in tasks:
        own = [name for name in names if name.removeprefix('train/').split('.')[0] == task]
        if own:
            losses[task] = sum(_latest(runner, name, window).mean() for name in own)
        values = _latest(runner, f'train/weight/{task}', window) if is_weighted else np.ones(1)
        if len(values):
            weights[task] = values.mean()
        if numbers.size:
            found = _latest(runner, f'train/group/{task}', window)[:, None] == numbers
            groups[task] = found.mean(0).tolist()
    return losses, weights, groups


def _latest(runner: Any, key: str, window: int) -> np.ndarray:
    """The latest values of a scalar, one an iteration; none if nothing was logged by that name."""
    buffer = runner.message_hub.log_scalars.get(key)
    return buffer.data[0][-window:] if buffer is not None else np.zeros(0)
