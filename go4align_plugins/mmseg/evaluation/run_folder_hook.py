"""Leaves the run folder of :mod:`go4align_plugins.utils.run_folder` behind, as LibMTL's side.

MMEngine's own logs and checkpoints stay what they are; ``config.json`` and ``metrics.jsonl`` stand
beside them, so that the leaderboard need not know what trained a model.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop

from go4align_plugins import GO4Align
from go4align_plugins.mmengine import LibMTLOptimWrapper
from go4align_plugins.mmengine.optim_wrapper import TaskOptimWrapper
from go4align_plugins.mmseg.evaluation.training_log import (
    by_task,
    group_shares,
    latest,
    mean_losses,
    mean_weights,
)
from go4align_plugins.utils.run_folder import (
    BEGIN_ANEW,
    CONFIG,
    METRICS,
    RunFolder,
    RunFolderError,
    describe_environment,
)


@HOOKS.register_module()
class RunFolderHook(Hook):
    """Writes an entry of ``metrics.jsonl`` for each validation, and for the training before it.

    An entry is what the run folder calls an epoch; its ``iteration`` is the number of iterations
    trained. Losses are those of this rank. A resumed run drops the entries of what it trains again;
    if it was killed between a checkpoint and the validation that was due, which MMEngine would
    leave out, it makes up for it. Among the default hooks, it does not get in the way of a config's
    own::

        default_hooks = dict(run_folder=dict(type='RunFolderHook', protocol='paper'))

    Args:
        folder: where to write. None (default): the Runner's ``work_dir``.
        protocol: the name of the settings that runs of one table share.
        arch: the name of the architecture. None (default): the type of the model.
        backbone: the name of the backbone. None (default): the type of the model's ``backbone``.
        weighting: the name of the weighting. None (default): that of the optimizer wrapper, a
            strategy of LibMTL's by its own name; ``'EW'``, equal weighting, for MMEngine's own.
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
        self.protocol = protocol
        self.arch = arch
        self.backbone = backbone
        self.weighting = weighting
        self._run: RunFolder | None = None  # of the main process, while it trains
        self._count = 0  # entries
        self._recorded = 0  # iterations that they cover

    def before_train(self, runner: Any) -> None:
        """Open the folder, and make up for a validation that is missing in it.

        Raises:
            ValueError: if the folder holds a run that is not resumed or has other options; or if
                the run has no validation, or no data set of this package.
        """
        dataset = runner.train_dataloader.dataset
        if 'benchmark' not in getattr(dataset, 'metainfo', {}) or runner.val_loop is None:
            raise ValueError(
                'Hook `RunFolderHook` should be used with a data set of this package and with '
                f'validation. Found `{type(dataset).__name__}`, `val_loop = {runner.val_loop}`.'
            )
        if is_main_process():
            self._open(runner)
        behind = [self._recorded < runner.iter]
        broadcast_object_list(behind)
        if behind[0] and _is_due(runner.train_loop, _progress(runner)):
            runner.val_loop.run()

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Add an entry; a validation without a training before it leaves none."""
        if self._run is None or runner.iter == self._recorded:
            return
        tasks = runner.train_dataloader.dataset.metainfo['tasks']
        window = runner.iter - self._recorded
        self._run.append(
            {
                'epoch': self._count,
                'iteration': runner.iter,
                'train': {'loss': mean_losses(runner, tasks, window), 'metrics': {}},
                'test': {'metrics': by_task(metrics or {}, tasks)},
                'weights': mean_weights(runner, tasks, window),
                'groups': group_shares(runner, tasks, window),
                'seconds': {
                    'train': float(latest(runner, 'train/time', window).sum()),
                    'test': float(latest(runner, 'val/time', len(runner.val_dataloader)).sum()),
                },
            }
        )
        self._count += 1
        self._recorded = runner.iter

    def _open(self, runner: Any) -> None:
        path = Path(self.folder or runner.work_dir)
        resume = runner.iter > 0 or bool(runner.cfg.get('resume'))
        if (path / METRICS).exists() and not resume:
            raise RunFolderError(
                f'{path}: holds a run already. Resume it by `--resume`, or choose another folder '
                'by `--work-dir`.'
            )
        config = self._describe(runner)
        # A folder of other validations, or of a run without this hook, says nothing of what is due.
        known = _read_validation(path / CONFIG) == config['validation']
        self._run = RunFolder(path, config, resume)
        covered = _read_iterations(path / METRICS, runner.iter)
        due = sum(_is_due(runner.train_loop, done) for done in range(1, _progress(runner) + 1))
        if known and len(covered) < due - 1:
            raise RunFolderError(
                f'{path / METRICS}: should hold {due - 1} entries or more, as the checkpoint says. '
                f'Found {len(covered)}. {BEGIN_ANEW}'
            )
        self._count, self._recorded = len(covered), max(covered, default=0)
        self._run.keep_until(self._count)

    def _describe(self, runner: Any) -> dict[str, Any]:
        """The options of the run, as plain values."""
        model = runner.model
        while is_model_wrapper(model):
            model = model.module
        wrapper = runner.optim_wrapper
        train, val = runner.train_dataloader.dataset, runner.val_dataloader.dataset
        limit = runner.max_iters if _counts_iterations(runner) else runner.max_epochs
        options = runner.cfg.get('optim_wrapper') or {}
        config = {
            'framework': 'mmengine',
            'benchmark': train.metainfo['benchmark'],
            'tasks': train.metainfo['tasks'],
            'weighting': self.weighting or _name_weighting(wrapper),
            'weight_args': (
                wrapper.weight_args
                if isinstance(wrapper, LibMTLOptimWrapper)
                else _weighting_options(runner.cfg)
            ),
            'protocol': self.protocol,
            'arch': self.arch or type(model).__name__,
            'backbone': self.backbone or type(getattr(model, 'backbone', None)).__name__,
            'epochs': sum(_is_due(runner.train_loop, done) for done in range(1, limit + 1)),
            'validation': [runner.train_loop.val_begin, runner.train_loop.val_interval],
            'batch_size': runner.cfg.get('train_dataloader', {}).get('batch_size'),
            'seed': runner.seed,
            'num_frames': {'train': len(train), 'val': len(val)},
            'model': runner.cfg.get('model'),
            'optim_wrapper': options,
            'param_scheduler': runner.cfg.get('param_scheduler'),
            'data': [runner.cfg.get(f'{split}_dataloader') for split in ('train', 'val')],
            **describe_environment('torch', 'mmengine', 'mmcv-lite', 'mmcv', 'mmsegmentation'),
        }
        return json.loads(json.dumps(config, default=str))


def _name_weighting(wrapper: Any) -> str:
    if isinstance(wrapper, TaskOptimWrapper):
        return wrapper.weighting_name
    return type(wrapper).__name__.removesuffix('OptimWrapper').removesuffix('Amp') or 'EW'


def _weighting_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Options of GO4Align, of the optimizer wrapper or of the hook that puts one in its place."""
    hooks = config.get('custom_hooks') or []
    sources = [config.get('optim_wrapper') or {}]
    sources += [hook for hook in hooks if 'GO4AlignHook' in str(hook.get('type'))]
    known = inspect.signature(GO4Align).parameters
    return {name: value for source in sources for name, value in source.items() if name in known}


def _counts_iterations(runner: Any) -> bool:
    return isinstance(runner.train_loop, IterBasedTrainLoop)


def _progress(runner: Any) -> int:
    return runner.iter if _counts_iterations(runner) else runner.epoch


def _is_due(train_loop: Any, done: int) -> bool:
    """Whether MMEngine's loop validates after so many epochs, or iterations if it counts these."""
    counts_iterations = isinstance(train_loop, IterBasedTrainLoop)
    last = train_loop.max_iters if counts_iterations else train_loop.max_epochs
    return done >= train_loop.val_begin and (done % train_loop.val_interval == 0 or done == last)


def _read_validation(file: Path) -> Any:
    """When the run before validated; None if that cannot be read, which others tell."""
    try:
        return json.loads(file.read_bytes())['validation']
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _read_iterations(file: Path, limit: int) -> list[int]:
    """The iterations of the leading entries that go no further than ``limit``.

    Raises:
        RunFolderError: if an entry that is not the last one cannot be read.
    """
    iterations: list[int] = []
    lines = file.read_bytes().splitlines() if file.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            iteration = int(json.loads(line)['iteration'])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if number == len(lines):  # half written
                break
            raise RunFolderError(
                f'{file}, line {number}: should be an entry of the run. Found: {error}. '
                f'{BEGIN_ANEW}'
            ) from error
        if iteration > limit:
            break
        iterations.append(iteration)
    return iterations
