"""Knows what batch a model is trained on, which MMEngine does not tell its optimizer wrappers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class BatchKeeper:
    """Looks at what goes into a model's forward pass for its losses.

    Args:
        model: the model to look at.
        whole: keep the batch itself, to pass it on again; else its size alone.
    """

    size: int
    """How many frames the latest batch has; 1 where it does not tell."""

    def __init__(self, model: nn.Module, whole: bool = False) -> None:
        self._model = model
        self._whole = whole
        self._batch: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self.size = 1
        self._handle = model.register_forward_pre_hook(self._look, with_kwargs=True)

    def repeat(self) -> dict[str, Any]:
        """The losses of the latest batch, by another forward pass without gradients.

        Raises:
            ValueError: if there was none since the last time.
        """
        if self._batch is None:
            raise ValueError(
                "A model should be called with `mode='loss'` in each `train_step`, as those of "
                'MMEngine are: a second look at the losses needs the batch. Found no such call.'
            )
        args, kwargs = self._batch
        with torch.no_grad():
            losses = self._model(*args, **kwargs)
        self._batch = None
        return losses

    def detach(self) -> None:
        """Look no longer."""
        self._handle.remove()

    def _look(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get('mode') != 'loss':
            return
        listed = (value for value in (*args, *kwargs.values()) if _is_batched(value))
        self.size = len(next(listed, ' '))
        if self._whole:
            self._batch = args, kwargs


def _is_batched(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, Tensor) and value.ndim > 0)
