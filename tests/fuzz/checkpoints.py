"""Checkpoints of this package's trainings and of MMEngine's, and what is in them."""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.libmtl import checkpoint

from .inputs import altered, archive, damaged, plain
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
    """Whatever the pointer says, the checkpoint there is found; what it calls does nothing."""
    from go4align_plugins.mmengine.saving import LAST, find_checkpoint

    path = folder / 'epoch_1.pth'
    path.write_bytes(value[1])
    (folder / LAST).write_bytes(value[0].replace(b'FOLDER', str(folder).encode()))
    assert find_checkpoint(folder) == path
    load_harmless(path)


DANGERS = ('os.', 'shutil.', 'subprocess.', 'socket.', 'ctypes.dlopen', 'code.__new__')
events = []


@cache
def listen():
    """Note what code in a file could do, from now on."""
    torch.load(io.BytesIO(saved({})), weights_only=True)  # which imports what it needs

    # The arguments outlive this module's names when Python ends.
    def note(event, _, dangers=DANGERS, seen=events):
        if event.startswith(dangers):
            seen.append(event)

    sys.addaudithook(note)


def load_harmless(path):
    listen()
    events.clear()
    with contextlib.suppress(Exception):  # torch's refusal, of many kinds
        torch.load(path, map_location='cpu', weights_only=True)
    assert events == []


@dataclass
class Call:
    """Pickles as the call of a function, and a state for what it returns."""

    function: Any
    args: list[Any]
    state: Any

    def __reduce__(self):
        return (self.function, tuple(self.args), *([] if self.state is None else [self.state]))


def pickled():
    """Calls of what MMEngine's checkpoints may call, and of what they should not."""
    from mmengine.logging import HistoryBuffer

    from go4align_plugins.mmengine import compat

    made = (np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0], np.dtype, np.ndarray)
    bad = (getattr, os.mkdir, importlib.import_module)
    functions = st.sampled_from((HistoryBuffer, compat._get_statistic, *made, *bad))
    words = ('min', 'mean', '__globals__', '__class__', 'f8', 'O', 'V8', 'os', 'b')
    return st.recursive(
        st.one_of(plain, st.binary(max_size=16), st.sampled_from(words), functions),
        lambda inner: (
            st.lists(inner, max_size=3).map(tuple)
            | st.builds(Call, functions, st.lists(inner, max_size=4), st.none() | inner)
        ),
        max_leaves=12,
    )


@reads(pickled, needs='mmengine')
def mmengine_pickle(value, folder):
    try:
        (folder / 'epoch_1.pth').write_bytes(saved({'meta': value}))
    except Exception:  # no such pickle can be made
        return
    load_harmless(folder / 'epoch_1.pth')


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
