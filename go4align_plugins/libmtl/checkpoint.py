"""Save and restore the complete state of a training in LibMTL, as tensors and plain values.

LibMTL keeps a part of a strategy's state in plain attributes of the model (DWA's loss history,
GradVac's targets, FAMO's optimizer, ...), which its ``state_dict`` does not hold. They are found by
their type, so that every strategy of either release resumes.
"""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from go4align_plugins.utils.files import load_tensors, save_bytes

PLAIN = (bool, int, float, str, type(None))
OF_METER = ('base_result', 'best_result', 'improvement', 'has_val')
"""Attributes that LibMTL's meter keeps from epoch to epoch, if it has them."""


def save_atomically(state: Any, path: Path) -> None:
    """Write aside, then rename: a killed process leaves the old file or the new one.

    Raises:
        OSError: if it cannot be written; the message names the file, and the old one is kept.
    """
    buffer = io.BytesIO()  # torch hides the reason if it cannot write a file itself
    torch.save(state, buffer)
    save_bytes(path, buffer.getvalue(), durable=True)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, without running any code in it.

    Raises:
        ValueError: if the file is no checkpoint of a training, or is damaged.
    """
    rule = f'{path}: should be a checkpoint of this tool. Found'
    remedy = 'Delete it, and the same command begins from the start.'
    try:
        state = load_tensors(path)
    except ValueError as error:
        raise ValueError(f'{rule}: {error}. {remedy}') from error
    if not isinstance(state, dict) or 'epoch' not in state:
        raise ValueError(f'{rule} another file. {remedy}')
    return state


def collect(trainer: Any) -> dict[str, Any]:
    """Collect the state of a LibMTL Trainer, and of the global random generators."""
    meter, scheduler = vars(trainer.meter), trainer.scheduler
    return {
        'model': trainer.model.state_dict(),
        'strategy': collect_attributes(trainer.model),
        'optimizer': trainer.optimizer.state_dict(),
        'scheduler': scheduler and scheduler.state_dict(),
        'meter': {name: _plain(meter[name]) for name in OF_METER if name in meter},
        'random': _random_state(),
    }


def restore(trainer: Any, state: dict[str, Any]) -> None:
    """Put a collected state back.

    Raises:
        ValueError: if the strategy keeps state that cannot be saved.
    """
    trainer.model.load_state_dict(state['model'])
    restore_attributes(trainer.model, state['strategy'])
    trainer.optimizer.load_state_dict(state['optimizer'])
    for parameter in trainer.optimizer.state:
        # LibMTL zeroes gradients; one that is None now would be passed over by the next step.
        parameter.grad = torch.zeros_like(parameter)
    if trainer.scheduler:
        trainer.scheduler.load_state_dict(state['scheduler'])
    for name, value in state['meter'].items():
        setattr(trainer.meter, name, value)
    _set_random_state(state['random'])


def collect_attributes(model: nn.Module) -> dict[str, Any]:
    """Collect a strategy's state outside ``state_dict``: arrays, tensors, numbers, optimizers."""
    internal = vars(nn.Module()).keys()
    kept: dict[str, Any] = {}
    for name, value in vars(model).items():
        # RLW builds its distribution again; all its randomness is the global generator's.
        if name in internal or isinstance(value, torch.distributions.Distribution):
            continue
        value = _plain(value)
        if isinstance(value, torch.optim.Optimizer):
            kept[name] = {'optimizer': value.state_dict()}
        elif isinstance(value, (Tensor, np.ndarray)):
            kept[name] = {
                'tensor': torch.as_tensor(value).detach().clone(),
                'numpy': isinstance(value, np.ndarray),
                'gradient': isinstance(value, Tensor) and value.requires_grad,
            }
        elif isinstance(value, PLAIN):
            kept[name] = {'value': value}
        elif isinstance(value, list) and all(isinstance(entry, PLAIN) for entry in value):
            kept[name] = {'value': list(value)}
        else:
            kept[name] = {'unsaved': type(value).__name__}
    return kept


def restore_attributes(model: Any, kept: dict[str, Any]) -> None:
    """Put collected attributes back.

    Raises:
        ValueError: if the strategy keeps state that cannot be saved.
    """
    lost = [name for name, entry in kept.items() if 'unsaved' in entry and not hasattr(model, name)]
    if lost:
        raise ValueError(
            f'This strategy cannot be resumed: LibMTL keeps a part of its state in `{lost[0]}` '
            f'({kept[lost[0]]["unsaved"]}), which a checkpoint of plain values cannot hold.'
        )
    for name, entry in kept.items():
        if 'optimizer' in entry:
            getattr(model, name).load_state_dict(entry['optimizer'])
        elif 'value' in entry:
            setattr(model, name, entry['value'])
        elif 'tensor' in entry:
            _restore_tensor(model, name, **entry)


def _restore_tensor(model: Any, name: str, tensor: Tensor, numpy: bool, gradient: bool) -> None:
    current = getattr(model, name, None)
    if numpy:
        setattr(model, name, tensor.cpu().numpy())
    elif isinstance(current, Tensor) and current.shape == tensor.shape:
        # An optimizer of the strategy's own may hold on to this very tensor.
        current.data.copy_(tensor)
    else:
        setattr(model, name, tensor.to(model.device).requires_grad_(gradient))


def _plain(value: Any) -> Any:
    """Turn numpy's numbers into Python's, which are read without running code."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def _random_state() -> dict[str, Any]:
    version, keys, gaussian = random.getstate()
    # LibMTL draws from numpy's global generator.
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        'python': [version, list(keys), gaussian],
        'numpy': [name, torch.as_tensor(np.asarray(words, dtype=np.int64)), *map(_plain, rest)],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state['torch'])
    if len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state['cuda'])
    version, keys, gaussian = state['python']
    random.setstate((version, tuple(keys), gaussian))
    name, words, *rest = state['numpy']
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))  # noqa: NPY002
