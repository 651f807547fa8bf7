"""Keeps a model's losses apart where MMEngine adds them up: at `parse_losses`."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any, Callable

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

Losses = dict[str, Any]
ParseLosses = Callable[..., tuple[Tensor, dict[str, Any]]]


class LossKeeper:
    """Stands in for a model's ``parse_losses``: returns the same, and remembers the summands.

    It lives on the model itself, as an attribute that hides the class's method, so that whatever
    calls ``parse_losses`` (the model's own ``train_step`` or that of a distributed wrapper) comes
    by here. A copy of the model, deep or pickled, has the plain method again: only the model that
    is trained is watched.

    Args:
        parse_losses: the model's own, bound method.
    """

    def __init__(self, parse_losses: ParseLosses) -> None:
        self._parse_losses = parse_losses
        # Total -> loss key -> summand. A total that nobody holds any more cannot be handed on, and
        # takes its entry, and with it the graph, along.
        self._summands: MutableMapping[Tensor, dict[str, Tensor]] = WeakTensorKeyDictionary()
        self._checked_keys: set[frozenset[str]] = set()
        self._last_keys: list[str] | None = None

    @classmethod
    def attach(cls, model: nn.Module) -> LossKeeper:
        """Watch a model; a distributed wrapper around it is looked through.

        A keeper that is there already, of an earlier training, is replaced.

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
        if isinstance(parse_losses, LossKeeper):
            parse_losses = parse_losses._parse_losses
        keeper = cls(parse_losses)
        bare.parse_losses = keeper
        return keeper

    def __call__(self, losses: Losses, *args: Any, **kwargs: Any) -> tuple[Tensor, dict[str, Any]]:
        """Parse the losses as the model does, and remember them if they can be trained on."""
        total, log_vars = self._parse_losses(losses, *args, **kwargs)
        self._last_keys = list(losses)
        if isinstance(total, Tensor) and total.requires_grad:
            terms = _find_terms(losses, total, log_vars)
            self._check_sum(total, terms)
            self._summands[total] = terms
        return total, log_vars

    def split(self, losses: Losses) -> dict[str, Tensor]:
        """The summands of losses that are only looked at, and not trained on.

        Args:
            losses: as a model's forward pass returns them.

        Returns:
            Loss key -> (): the summands.
        """
        return _find_terms(losses, *self._parse_losses(losses))

    def take(self, loss: Tensor) -> dict[str, Tensor]:
        """The summands of a loss, which are then forgotten.

        Args:
            loss: (): a total that ``parse_losses`` returned, or the sum of all that it returned in
                this iteration and that were not taken, for models that parse more than once.

        Returns:
            Loss key -> (): the summands, with their graph.

        Raises:
            ValueError: if the loss is neither.
        """
        totals = list(self._summands)
        if any(loss is total for total in totals):
            return self._summands.pop(loss)
        if totals and isinstance(loss, Tensor) and _equal(torch.stack(totals).sum(), loss):
            return _merge([self._summands.pop(total) for total in totals])
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
        # A model may override `parse_losses`. Once for each set of keys, for this makes the host
        # wait for the device.
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
        # Deep copies come by here, too: what takes this object's place is the copy's own method.
        return self._parse_losses.__reduce__()


def _find_terms(losses: Losses, total: Tensor, log_vars: dict[str, Any]) -> dict[str, Tensor]:
    # The host adds up the keys that contain `loss`. Its log has each as one number already; that of
    # an empty list is no tensor, but 0.
    values = {key: log_vars.get(key) for key in losses if 'loss' in key}
    return {
        key: value if isinstance(value, Tensor) else total.new_zeros(())
        for key, value in values.items()
    }


def _merge(parts: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    merged: dict[str, Tensor] = {}
    for part in parts:
        for key, value in part.items():
            merged[key] = merged[key] + value if key in merged else value
    return merged


def _equal(found: Tensor, expected: Tensor) -> bool:
    """Whether two scalars agree but for rounding."""
    tolerance = 100 * torch.finfo(expected.dtype).eps
    found = found.to(expected.dtype)
    return bool(torch.isclose(found, expected, rtol=tolerance, atol=0, equal_nan=True))
