"""Checkpoints of this package's trainings and of MMEngine's, and what is in them."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.libmtl import checkpoint

from .inputs import altered, archive, damaged
from .reader import reads

STATE = {
    'name': 'GO4Align',
    'task_names': ['a', 'b'],
    'state_dict': {'groups': [1, 0], 'indicator.accumulated_risk': [0.25, 0.5]},
}


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def whole(mmengine=False):
    """A checkpoint after one step."""
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    parts = {'optimizer': optimizer.state_dict(), 'epoch': 1}
    if not mmengine:
        return saved({**parts, 'model': model.state_dict()})
    from mmengine.logging import HistoryBuffer

    history = HistoryBuffer([np.float32(2), 1.5], [1, 1])
    hub = {'log_scalars': {'train/loss': history}, 'runtime_info': {'best': np.float64(0.5)}}
    parts['optimizer']['weighting'] = STATE
    return saved(
        {**parts, 'meta': {'iter': 2}, 'state_dict': model.state_dict(), 'message_hub': hub}
    )


@reads(lambda: archive(whole()), name='checkpoint', file='last.pt')
def check_checkpoint(path):
    assert 'epoch' in checkpoint.load(path)


def pointed():
    return st.tuples(damaged(b'FOLDER/epoch_1.pth'), archive(whole(mmengine=True)))


@reads(pointed, needs='mmengine')
def mmengine_checkpoint(value, folder):
    """Whatever the pointer says, the checkpoint there is found."""
    from go4align_plugins.mmengine.saving import LAST, find_checkpoint

    path = folder / 'epoch_1.pth'
    path.write_bytes(value[1])
    (folder / LAST).write_bytes(value[0].replace(b'FOLDER', str(folder).encode()))
    assert find_checkpoint(folder) == path


def tensors(value):
    """Lists of numbers as tensors, wherever they are."""
    if isinstance(value, dict):
        return {key: tensors(entry) for key, entry in value.items()}
    if isinstance(value, list) and not any(isinstance(entry, (str, list)) for entry in value):
        try:
            return torch.tensor(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return value
    return value


@reads(altered(STATE), 'checkpoint', needs='mmengine')
def mmengine_state(value, folder):
    """A wrapper goes on from a state, or says what is wrong with it."""
    from go4align_plugins.mmengine import GO4AlignOptimWrapper

    wrapper = GO4AlignOptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.ones(()))], lr=0.1))
    wrapper.load_state_dict({**wrapper.state_dict(), 'weighting': tensors(value)})
    if wrapper.weighting is not None:
        weights = wrapper.weighting(torch.ones(len(wrapper.task_names)))
        assert all(map(math.isfinite, weights.tolist()))
