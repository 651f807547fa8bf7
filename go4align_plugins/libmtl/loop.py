"""A resumable training loop around LibMTL's own steps, with one progress bar and a run folder.

LibMTL's ``train`` always begins at epoch 0 and tells nobody what happened in a step. This one takes
its place where a run should be resumable and recorded; every part of a step is still LibMTL's:
``_process_data``, ``_compute_loss``, the model's ``backward``, the meter, and ``test``.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from go4align_plugins.benchmarks.run_folder import RunFolder
from go4align_plugins.libmtl import checkpoint
from go4align_plugins.libmtl.data import set_epoch
from go4align_plugins.libmtl.strategies import LossWeighting
from go4align_plugins.libmtl.trainer import Trainer

BATCHES_IN_STEP = {'MoDo': 3, 'SDMGrad': 3}
"""Strategies that take several batches a step; an epoch is one pass over the data all the same."""


class DenseTrainer(Trainer):
    """A Trainer of dense-prediction tasks whose runs can be recorded and resumed.

    Args:
        *args: as for ``LibMTL.Trainer``.
        image_size: height and width of the targets, to which predictions are resized.
        **kwargs: as for :class:`Trainer`.
    """

    def __init__(self, *args: Any, image_size: Sequence[int], **kwargs: Any) -> None:
        self.__dict__['image_size'] = tuple(image_size)
        super().__init__(*args, **kwargs)
        self.shown: dict[str, dict[str, Any]] = {}
        self._bar = tqdm(disable=True)
        _listen(self.meter, self.shown)

    def process_preds(self, preds: dict[str, Tensor], task_name: str | None = None) -> Any:
        """Resize the predictions to the targets' size."""
        for task, prediction in preds.items():
            if prediction.shape[-2:] != self.image_size:
                preds[task] = F.interpolate(
                    prediction, self.image_size, mode='bilinear', align_corners=True
                )
        return preds

    def _process_data(self, loader: list) -> tuple[Tensor, Any]:
        self._bar.update()
        return super()._process_data(loader)

    def fit(
        self, train_loader: DataLoader, test_loader: DataLoader, epochs: int, folder: RunFolder
    ) -> None:
        """Train, test after each epoch, and record it; go on where the folder's checkpoint is.

        Args:
            train_loader: of :func:`go4align_plugins.libmtl.data.build_loaders`.
            test_loader: likewise.
            epochs: the number of epochs in all.
            folder: where to record the run.
        """
        self.model.epochs = epochs
        self.model.train_loss_buffer = np.zeros((self.task_num, epochs))
        first = self._resume(folder, epochs)
        batches = len(train_loader) + len(test_loader)
        # tqdm's None: no bar where nobody watches, in a log file.
        with tqdm(
            total=epochs * batches, initial=first * batches, unit='batch', disable=None
        ) as self._bar:
            for epoch in range(first, epochs):
                self._bar.set_description(f'epoch {epoch + 1}/{epochs}')
                # LibMTL prints one line in two pieces; the bar must not come in between.
                with contextlib.redirect_stdout(io.StringIO()) as line:
                    entry = self._run_epoch(epoch, train_loader, test_loader)
                tqdm.write(line.getvalue().rstrip())
                folder.append(entry)
                state = {'epoch': epoch, **checkpoint.collect(self)}
                checkpoint.save_atomically(state, folder.checkpoint)
        self.meter.display_best_result()

    def _resume(self, folder: RunFolder, epochs: int) -> int:
        """Load the folder's checkpoint, if there is one, and return the epoch to begin with."""
        if not folder.checkpoint.exists():
            folder.keep_until(0)
            return 0
        state = checkpoint.load(folder.checkpoint)
        checkpoint.restore(self, state)
        history = np.zeros((self.task_num, epochs))
        known = self.model.train_loss_buffer[:, :epochs]
        history[:, : known.shape[1]] = known
        self.model.epochs, self.model.train_loss_buffer = epochs, history
        folder.keep_until(state['epoch'] + 1)
        return state['epoch'] + 1

    def _run_epoch(
        self, epoch: int, train_loader: DataLoader, test_loader: DataLoader
    ) -> dict[str, Any]:
        set_epoch(train_loader, epoch)
        self.model.epoch = epoch
        self.model.train()
        self.meter.record_time('begin')
        weights, groups = self._train_epoch(train_loader)
        self.meter.record_time('end')
        self.meter.get_score()
        self.model.train_loss_buffer[:, epoch] = self.meter.loss_item
        self.meter.display(epoch=epoch, mode='train')
        self.meter.reinit()
        self.test(test_loader, epoch, mode='test')
        if self.scheduler is not None:
            self.scheduler.step()
        train, test = self.shown['train'], self.shown['test']
        return {
            'epoch': epoch,
            'train': {'loss': train['loss'], 'metrics': train['metrics']},
            'test': {'loss': test['loss'], 'metrics': test['metrics']},
            'weights': weights,
            'groups': groups,
            'seconds': {'train': train['seconds'], 'test': test['seconds']},
        }

    def _train_epoch(self, loader: DataLoader) -> tuple[dict[str, float], dict[str, list[float]]]:
        """Take the epoch's steps; return each task's mean weight and its share in each group."""
        batches = self._prepare_dataloaders(loader)[0]
        per_step = BATCHES_IN_STEP.get(self.strategy, 1)
        weights, groups = [], []
        for _ in range(len(loader) // per_step):
            losses = torch.stack([self._forward(batches) for _ in range(per_step)]).squeeze(0)
            self.optimizer.zero_grad()
            step_weights = self.model.backward(losses, **self.kwargs['weight_args'])
            self.optimizer.step()
            if hasattr(self.model, 'update_w'):  # FAMO looks at the losses after the step
                with torch.no_grad():
                    self.model.update_w(self._losses_again())
            if step_weights is not None:
                weights.append(np.asarray(step_weights, dtype=np.float64))
            if isinstance(self.model, LossWeighting):
                groups.append(self.model.agrm.groups.cpu().numpy().copy())
        means = np.mean(weights, axis=0).tolist() if weights else []
        shares = _group_shares(np.array(groups), self.model.agrm.num_groups) if groups else []
        return dict(zip(self.task_name, means)), dict(zip(self.task_name, shares))

    def _forward(self, batches: list) -> Tensor:
        self._inputs, self._targets = self._process_data(batches)
        predictions = self.process_preds(self.model(self._inputs))
        losses = self._compute_loss(predictions, self._targets)
        self.meter.update(predictions, self._targets)
        return losses

    def _losses_again(self) -> Tensor:
        predictions = self.process_preds(self.model(self._inputs))
        return self._compute_loss(predictions, self._targets)

    @property
    def strategy(self) -> str:
        """The name of the weighting strategy."""
        return type(self.model).__bases__[1].__name__


def _group_shares(groups: np.ndarray, num_groups: int) -> list[list[float]]:
    """From the groups of all steps (S, M), each task's share of steps in each group."""
    member = groups[:, :, None] == np.arange(num_groups)
    return member.mean(0).tolist()


def _listen(meter: Any, shown: dict[str, dict[str, Any]]) -> None:
    """Keep what LibMTL's meter displays: it forgets it right afterwards."""
    original = meter.display

    def display(mode: str, epoch: int | None) -> None:
        scores = {
            task: dict(zip(meter.task_dict[task]['metrics'], map(float, meter.results[task])))
            for task in meter.task_name
        }
        shown[mode] = {
            'loss': dict(zip(meter.task_name, map(float, meter.loss_item))),
            'metrics': scores,
            'seconds': meter.end_time - meter.beg_time,
        }
        original(mode=mode, epoch=epoch)

    meter.display = display
