"""A resumable training loop around LibMTL's own steps, with one progress bar and a run folder.

LibMTL's ``train`` always begins at epoch 0 and records no weights. The parts of a step here are
still LibMTL's: ``_process_data``, ``_compute_loss``, ``backward``, the meter and ``test``.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader
from tqdm import tqdm

from go4align_plugins.libmtl import checkpoint
from go4align_plugins.libmtl.data import Loaders, set_epoch
from go4align_plugins.libmtl.protocols import PLATEAU
from go4align_plugins.libmtl.strategies import GROUPED, AGRMWeighting
from go4align_plugins.libmtl.trainer import Trainer
from go4align_plugins.measures.scores import delta_m
from go4align_plugins.utils.run_folder import RunFolder

BATCHES_IN_STEP = {'MoDo': 3, 'SDMGrad': 3}
"""Strategies that take several batches a step; an epoch is one pass over the data all the same."""


class RecordedTrainer(Trainer):
    """A Trainer whose runs are recorded and can be resumed.

    Predicted maps are resized to ``image_size``. ``single_task`` has published results (task ->
    metric -> value), the baselines of a plateau schedule.
    """

    def __init__(
        self, *args: Any, image_size: Any = None, single_task: Any = None, **kwargs: Any
    ) -> None:
        self.__dict__.update(image_size=tuple(image_size or ()), single_task=single_task)
        super().__init__(*args, **kwargs)
        self._shown: dict[str, Any] = {}  # by split, as is the time
        self._seconds: dict[str, float] = {}
        self._bar = tqdm(disable=True)
        self.meter.display = partial(self._display, self.meter.display)

    def process_preds(self, preds: dict[str, Tensor], task_name: str | None = None) -> Any:
        """Resize the predicted maps (B, C, H, W) to the targets' size."""
        resize = partial(F.interpolate, size=self.image_size, mode='bilinear', align_corners=True)
        for task, maps in preds.items():
            if maps.dim() == 4 and maps.shape[-2:] != self.image_size:
                preds[task] = resize(maps)
        return preds

    def _process_data(self, loader: list) -> tuple[Tensor, Any]:
        self._bar.update()
        return super()._process_data(loader)

    def _prepare_optimizer(self, optim_param: dict, scheduler_param: dict | None) -> None:
        options = dict(scheduler_param or {})
        plateau = options.pop('scheduler', None) == PLATEAU['scheduler']
        super()._prepare_optimizer(optim_param, None if plateau else scheduler_param)
        if plateau:
            self.scheduler = ReduceLROnPlateau(self.optimizer, **options)

    def _display(self, display: Callable[..., None], mode: str, epoch: int | None) -> None:
        """Keep the scores that LibMTL's meter displays; it forgets them right afterwards."""
        metrics = {
            task: dict(zip(self.task_dict[task]['metrics'], map(float, self.meter.results[task])))
            for task in self.task_name
        }
        losses = dict(zip(self.task_name, map(float, self.meter.loss_item)))
        self._shown[mode] = {'loss': losses, 'metrics': metrics}
        self._seconds[mode] = self.meter.end_time - self.meter.beg_time
        display(mode=mode, epoch=epoch)

    def fit(self, loaders: Loaders, epochs: int, folder: RunFolder) -> None:
        """Train, test after each epoch, and record it; go on from the folder's checkpoint."""
        self.meter.has_val = loaders.val is not None
        first, losses = 0, np.zeros((self.task_num, epochs))
        if folder.checkpoint.exists():
            first = checkpoint.restore(self, checkpoint.load(folder.checkpoint)) + 1
            known = self.model.train_loss_buffer[:, :epochs]
            losses[:, : known.shape[1]] = known
        self.model.epochs, self.model.train_loss_buffer = epochs, losses
        folder.keep_until(first)
        batches = sum(map(len, filter(None, (loaders.train, loaders.val, loaders.test))))
        # tqdm's None: no bar where the output is no terminal.
        with tqdm(
            total=epochs * batches, initial=first * batches, unit='batch', disable=None
        ) as self._bar:
            for epoch in range(first, epochs):
                self._bar.set_description(f'epoch {epoch + 1}/{epochs}')
                # LibMTL prints one line in two pieces; the bar must not come in between.
                with contextlib.redirect_stdout(io.StringIO()) as line:
                    entry = self._run_epoch(epoch, loaders)
                tqdm.write(line.getvalue().rstrip())
                folder.append(entry)
                checkpoint.save(self, epoch, folder.checkpoint)
        self.meter.display_best_result()

    def _run_epoch(self, epoch: int, loaders: Loaders) -> dict[str, Any]:
        set_epoch(loaders.train, epoch)
        self.model.epoch = epoch
        self.model.train()
        self.meter.record_time('begin')
        weights, groups = self._train_epoch(loaders.train)
        self.meter.record_time('end')
        self.meter.get_score()
        self.model.train_loss_buffer[:, epoch] = self.meter.loss_item
        self.meter.display(epoch=epoch, mode='train')
        self.meter.reinit()
        # LibMTL's improvement divides by the first epoch's scores: an F1 of 0 is no reason to warn.
        with np.errstate(divide='ignore', invalid='ignore'):
            if loaders.val is not None:
                self.test(loaders.val, epoch, mode='val')
            self.test(loaders.test, epoch, mode='test')
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(self._validation_cost())
        elif self.scheduler is not None:
            self.scheduler.step()
        shown = {'epoch': epoch, **self._shown}
        return {**shown, 'weights': weights, 'groups': groups, 'seconds': self._seconds}

    def _validation_cost(self) -> float:
        """Compute delta_m on the validation split, or its mean loss without published baselines."""
        shown = self._shown['val']
        if not self.single_task:
            return fmean(shown['loss'].values())
        scores = [
            (value, self.single_task[task][name], bool(higher))
            for task, found in shown['metrics'].items()
            for (name, value), higher in zip(found.items(), self.meter.weight[task])
        ]
        return delta_m(*zip(*scores))

    def _train_epoch(self, loader: DataLoader) -> tuple[dict[str, float], dict[str, list[float]]]:
        """Take the epoch's steps; return each task's mean weight and its share in each group."""
        batches = self._prepare_dataloaders(loader)[0]
        strategy = type(self.model).__bases__[1].__name__
        per_step = BATCHES_IN_STEP.get(strategy.removeprefix(GROUPED), 1)
        weights, members = [], []
        for _ in range(len(loader) // per_step):
            losses = torch.stack([self._forward(batches) for _ in range(per_step)]).squeeze(0)
            self.optimizer.zero_grad()
            step_weights = self.model.backward(losses, **self.kwargs['weight_args'])
            self.optimizer.step()
            if hasattr(self.model, 'update_w'):  # FAMO looks at the losses after the step
                with torch.no_grad():
                    predictions = self.process_preds(self.model(self._batch[0]))
                    self.model.update_w(self._compute_loss(predictions, self._batch[1]))
            if step_weights is not None:
                weights.append(np.asarray(step_weights, dtype=np.float64))
            if isinstance(self.model, AGRMWeighting):
                agrm = self.model.agrm
                members.append(agrm.groups.cpu().numpy()[:, None] == np.arange(agrm.num_groups))
        means = [np.mean(steps, axis=0).tolist() if steps else [] for steps in (weights, members)]
        return dict(zip(self.task_name, means[0])), dict(zip(self.task_name, means[1]))

    def _forward(self, batches: list) -> Tensor:
        self._batch = inputs, targets = self._process_data(batches)
        predictions = self.process_preds(self.model(inputs))
        self.meter.update(predictions, targets)
        return self._compute_loss(predictions, targets)
