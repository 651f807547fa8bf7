"""Records of a training step that MMEngine hides from its optimizer wrappers: losses and batch."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Callable

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

Losses = dict[str, Any]
ParseLosses = Callable[..., tuple[Tensor, dict[str, Any]]]


class LossRecorder:
    """Replaces a model's ``parse_losses``: returns the same, and records the summands.

    It is an attribute of the model and hides the class's method, so that every caller of
    ``parse_losses`` (the model's own ``train_step`` or a distributed wrapper's) calls it. A copy of
    the model, deep or pickled, has the plain method again.

    Args:
        parse_losses: the model's own, bound method.
    """

    def __init__(self, parse_losses: ParseLosses) -> None:
        self._parse_losses = parse_losses
        # Total -> loss key -> summand. The entry, and the graph with it, ends with its total.
        self._summands: MutableMapping[Tensor, dict[str, Tensor]] = WeakTensorKeyDictionary()
        self._checked_keys: set[frozenset[str]] = set()
        self._last_keys: list[str] | None = None

    @classmethod
    def attach(cls, model: nn.Module) -> LossRecorder:
        """Record the losses of a model, bare or in a distributed wrapper.

        A recorder of an earlier training is replaced.

        Raises:
            ValueError: if the model has no ``parse_losses``.
        """
        bare: Any = model
        while is_model_wrapper(bare):
            bare = bare.module
        parse_losses = getattr(bare, 'parse_losses', None)
        if parse_losses is None:
            raise ValueError(
                'Parameter `model` should have the method `parse_losses`, as every '
                f'`mmengine.model.BaseModel` has. Found `{type(bare).__name__}`.'
            )
        if isinstance(parse_losses, LossRecorder):
            parse_losses = parse_losses._parse_losses
        bare.parse_losses = recorder = cls(parse_losses)
        return recorder

    def __call__(self, losses: Losses, *args: Any, **kwargs: Any) -> tuple[Tensor, dict[str, Any]]:
        """Parse the losses as the model does, and record them if they can be trained on."""
        total, log_vars = self._parse_losses(losses, *args, **kwargs)
        self._last_keys = list(losses)
        if isinstance(total, Tensor) and total.requires_grad:
            terms = _find_terms(losses, total, log_vars)
            self._check_sum(total, terms)
            self._summands[total] = terms
        return total, log_vars

    def split(self, losses: Losses) -> dict[str, Tensor]:
        """Split a model's losses that are not trained on into summands: loss key -> ()."""
        return _find_terms(losses, *self._parse_losses(losses))

    def pop(self, loss: Tensor) -> dict[str, Tensor]:
        """Return the summands of a loss, loss key -> () with its graph, and drop their record.

        Args:
            loss: (): a total that ``parse_losses`` returned, or the sum of all its totals on
                record, for models that parse more than once in an iteration.

        Raises:
            ValueError: if the loss is neither.
        """
        totals = list(self._summands)
        if any(loss is total for total in totals):
            return self._summands.pop(loss)
        if totals and isinstance(loss, Tensor) and _equal(torch.stack(totals).sum(), loss):
            merged: dict[str, Tensor] = {}
            for total in totals:
                for key, value in self._summands.pop(total).items():
                    merged[key] = merged[key] + value if key in merged else value
            return merged
        if self._last_keys is not None and not any('loss' in key for key in self._last_keys):
            raise ValueError(
                "A model's losses should have keys that contain `loss`: MMEngine trains on no "
                f'others. Found the keys `{self._last_keys}`.'
            )
        raise ValueError(
            "Parameter `loss` should be the total that the model's `parse_losses` returned, or the "
            'sum of all its totals of this iteration: the tasks in it are not known otherwise. '
            f'Found `loss = {loss}`, and totals `{[total.item() for total in totals]}`.'
        )

    def _check_sum(self, total: Tensor, terms: dict[str, Tensor]) -> None:
        # A model may override `parse_losses`. The check makes the host wait for the device, hence
        # once for each set of keys.
        keys = frozenset(terms)
        if keys in self._checked_keys:
            return
        found = sum(terms.values(), total.new_zeros(()))
        if not _equal(found, total):
            raise ValueError(
                "A model's `parse_losses` should return the sum of the losses that it logs, for "
                f'what it adds to them belongs to no task. Found a total of {total.item()}, and a '
                f'sum of {found.item()} over {", ".join(f"`{key}`" for key in terms) or "no key"}.'
            )
        self._checked_keys.add(keys)

    def __reduce__(self) -> Any:
        # A copy of the model, deep or pickled, has the bound method of the copy here.
        return self._parse_losses.__reduce__()


def _find_terms(losses: Losses, total: Tensor, log_vars: dict[str, Any]) -> dict[str, Tensor]:
    # MMEngine adds up the keys that contain `loss`. Its log has the sum of each key; the sum of an
    # empty list is no tensor, but 0.
    terms = {key: log_vars.get(key) for key in losses if 'loss' in key}
    return {k: v if isinstance(v, Tensor) else total.new_zeros(()) for k, v in terms.items()}


def _equal(found: Tensor, expected: Tensor) -> bool:
    """Compare two scalars up to rounding."""
    tolerance = 100 * torch.finfo(expected.dtype).eps
    found = found.to(expected.dtype)
    return bool(torch.isclose(found, expected, rtol=tolerance, atol=0, equal_nan=True))


class BatchRecorder:
    """Records the batch that a model computes its losses from.

    Args:
        model: the model, whose losses are computed by ``model(..., mode='loss')``.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._batch: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        model.register_forward_pre_hook(self._record, with_kwargs=True)

    def evaluate(self) -> Losses:
        """Compute the losses of the latest batch once more.

        Raises:
            ValueError: if there is none.
        """
        if self._batch is None:
            raise ValueError(
                "A model should be called with `mode='loss'` in each `train_step`, as those of "
                'MMEngine are: a second look at the losses needs the batch. Found no such call.'
            )
        args, kwargs = self._batch
        return self._model(*args, **kwargs)

    def pop_size(self) -> int:
        """Return the number of frames in the latest batch, 1 if it has no length, and drop it."""
        args, kwargs = self._batch or ((), {})
        self._batch = None
        lengths = (len(value) for value in (*args, *kwargs.values()) if _has_length(value))
        return next(lengths, 1)

    def _record(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get('mode') == 'loss':
            self._batch = args, kwargs


def _has_length(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, Tensor) and value.ndim > 0)
