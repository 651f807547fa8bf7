"""Save and restore the complete state of a training in LibMTL, as tensors and plain values.

LibMTL keeps a part of a strategy's state (DWA's losses, GradVac's targets, FAMO's optimizer, ...)
in attributes that its ``state_dict`` does not hold: they are found by their type.
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


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, without running any code in it; a ValueError tells of damage."""
    try:
        state = load_tensors(path)
        if not isinstance(state, dict) or 'epoch' not in state:
            raise ValueError('another file')
    except ValueError as error:
        raise ValueError(
            f'{path}: should be a checkpoint of this tool. Found: {error}. '
            'Delete it, and the same command begins from the start.'
        ) from error
    return state


def save(trainer: Any, epoch: int, path: Path) -> None:
    """Save the state of a LibMTL Trainer after an epoch, and of the global random generators."""
    meter, scheduler = vars(trainer.meter), trainer.scheduler
    # LibMTL draws from numpy's global generator.
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    state = {
        'epoch': epoch,
        'model': trainer.model.state_dict(),
        'strategy': collect_attributes(trainer.model),
        'optimizer': trainer.optimizer.state_dict(),
        'scheduler': scheduler and scheduler.state_dict(),
        'meter': {key: _plain(meter[key]) for key in OF_METER if key in meter},
        'random': {
            'torch': torch.get_rng_state(),
            'cuda': torch.cuda.get_rng_state_all(),
            'python': _plain(random.getstate()),
            'numpy': [name, torch.as_tensor(np.asarray(words, dtype=np.int64)), *rest],
        },
    }
    buffer = io.BytesIO()  # torch hides the reason if it cannot write a file itself
    torch.save(state, buffer)
    save_bytes(path, buffer.getvalue(), durable=True)


def restore(trainer: Any, state: dict[str, Any]) -> int:
    """Put a saved state back; return its epoch."""
    trainer.model.load_state_dict(state['model'])
    restore_attributes(trainer.model, state['strategy'])
    trainer.optimizer.load_state_dict(state['optimizer'])
    for parameter in trainer.optimizer.state:
        # LibMTL zeroes gradients; one that is None now would be passed over by the next step.
        parameter.grad = torch.zeros_like(parameter)
    if trainer.scheduler:
        trainer.scheduler.load_state_dict(state['scheduler'])
    vars(trainer.meter).update(state['meter'])
    generators = state['random']
    torch.set_rng_state(generators['torch'])
    if len(generators['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(generators['cuda'])
    version, keys, gaussian = generators['python']
    random.setstate((version, tuple(keys), gaussian))
    name, words, *rest = generators['numpy']
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    return state['epoch']


def collect_attributes(model: nn.Module) -> dict[str, Any]:
    """Collect a strategy's state outside ``state_dict``: arrays, tensors, numbers, optimizers."""
    internal = vars(nn.Module()).keys()
    kept: dict[str, Any] = {}
    for name, attribute in vars(model).items():
        value = _plain(attribute)
        # RLW builds its distribution again; all its randomness is the global generator's.
        if name in internal or isinstance(value, torch.distributions.Distribution):
            continue
        if isinstance(value, torch.optim.Optimizer):
            kept[name] = {'optimizer': value.state_dict()}
        elif isinstance(value, (Tensor, np.ndarray)):
            tensor = torch.as_tensor(value)
            kept[name] = {
                'tensor': tensor.detach().clone(),
                'numpy': isinstance(value, np.ndarray),
                'gradient': tensor.requires_grad,
            }
        elif all(isinstance(part, PLAIN) for part in (value if type(value) is list else [value])):
            kept[name] = {'value': value}
        else:
            kept[name] = {'unsaved': type(value).__name__}
    return kept


def restore_attributes(model: Any, kept: dict[str, Any]) -> None:
    """Put collected attributes back; a ValueError names one that could not be saved."""
    for name, entry in kept.items():
        current: Any = getattr(model, name, None)
        if 'optimizer' in entry:
            current.load_state_dict(entry['optimizer'])
        elif 'value' in entry:
            setattr(model, name, entry['value'])
        elif 'unsaved' in entry:
            if not hasattr(model, name):
                raise ValueError(
                    f'This strategy cannot be resumed: LibMTL keeps a part of its state in `{name}`'
                    f' ({entry["unsaved"]}), which a checkpoint of plain values cannot hold.'
                )
        elif entry['numpy']:
            setattr(model, name, entry['tensor'].cpu().numpy())
        elif isinstance(current, Tensor) and current.shape == entry['tensor'].shape:
            # An optimizer of the strategy's own may hold on to this very tensor.
            current.data.copy_(entry['tensor'])
        else:
            tensor = entry['tensor'].to(model.device)
            setattr(model, name, tensor.requires_grad_(entry['gradient']))


def _plain(value: Any) -> Any:
    """Turn numpy's numbers into Python's, which are read without running code."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value
