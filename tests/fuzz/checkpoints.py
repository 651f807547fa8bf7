"""Checkpoints: those of this package's trainings and of MMEngine's, and what is in them."""

from __future__ import annotations

import importlib
import io
import math
import os
import sys
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.libmtl import checkpoint

from .target import Target
from .values import altered, archive, damaged, plain

STATE = {
    'name': 'GO4Align',
    'task_names': ['a', 'b'],
    'state_dict': {'groups': [1, 0], 'indicator.accumulated_risk': [0.25, 0.5]},
}


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@cache
def _checkpoint() -> bytes:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    return _saved({'epoch': 1, 'model': model.state_dict(), 'optimizer': optimizer.state_dict()})


@cache
def _checkpoint_of_mmengine() -> bytes:
    from mmengine.logging import HistoryBuffer

    importlib.import_module('go4align_plugins.mmengine')
    losses = HistoryBuffer([np.float32(2), 1.5], [1, 1])
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1).state_dict()
    return _saved({
        'meta': {'epoch': 1, 'iter': 2, 'cfg': 'a = 1', 'seed': 0, 'time': '20260101_000000'},
        'state_dict': OrderedDict(model.state_dict()),
        'message_hub': {
            'log_scalars': OrderedDict({'train/loss': losses}),
            'runtime_info': OrderedDict(epoch=1, best=np.float64(0.5)),
            'resumed_keys': OrderedDict({'train/loss': True}),
        },
        'optimizer': {**optimizer, 'weighting': STATE},
        'param_schedulers': [],
    })  # fmt: skip


def check_checkpoint(content: bytes, folder: Path) -> None:
    """A checkpoint is a dict with its epoch, or refused."""
    path = folder / 'last.pt'
    path.write_bytes(content)
    assert 'epoch' in checkpoint.load(path)


def check_mmengine(value: tuple[bytes, bytes], folder: Path) -> None:
    """Whatever the pointer says, the checkpoint there is found, and whole; it holds no code."""
    from go4align_plugins.mmengine.saving import LAST, find_checkpoint

    pointer, content = value
    path = folder / 'epoch_1.pth'
    path.write_bytes(content)
    (folder / LAST).write_bytes(pointer.replace(b'FOLDER', str(folder).encode()))
    assert find_checkpoint(folder) == path
    _load_harmless(path, whole=content == _checkpoint_of_mmengine())


WATCHED = ('os.', 'shutil.', 'subprocess.', 'socket.', 'ctypes.dlopen', 'code.__new__')
events: list[str] = []
"""What code in a file could do, and what Python told of it since it was last emptied."""


@cache
def _listen() -> None:
    torch.load(io.BytesIO(_saved({})), weights_only=True)  # which imports what it needs

    # Bound here, for the hook outlives this module's names when Python ends.
    def note(
        event: str, _: object, watched: tuple[str, ...] = WATCHED, seen: list = events
    ) -> None:
        if event.startswith(watched):
            seen.append(event)

    sys.addaudithook(note)


def _load_harmless(path: Path, whole: bool = False) -> None:
    _listen()
    events.clear()
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception:  # torch's refusal, of many kinds
        # Before 2.4 torch cannot be told that MMEngine's classes are harmless.
        if whole and hasattr(torch.serialization, 'add_safe_globals'):
            raise
    else:
        assert all(map(_is_data, _parts(state))), state
    assert events == []


def _parts(value: Any) -> Any:
    yield value
    inner = value.items() if isinstance(value, Mapping) else value
    for each in inner if isinstance(value, (Mapping, list, tuple, set)) else ():
        yield from _parts(each)


DATA = (
    Mapping, list, tuple, set, str, bytes, bytearray, int, float, complex, type(None),
    torch.Tensor, torch.dtype, torch.device, np.ndarray, np.generic, np.dtype,
)  # fmt: skip
NAMES = (
    'array', 'scalar', 'dtype', 'ndarray', 'HistoryBuffer', 'getattr', 'mkdir', 'import', 'eval',
)  # fmt: skip


@cache
def _functions() -> dict[str, Any]:
    """What a checkpoint of MMEngine's calls, and what one should not: after the first five."""
    from mmengine.logging import HistoryBuffer

    functions = (
        np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0], np.dtype, np.ndarray,
        HistoryBuffer, getattr, os.mkdir, importlib.import_module, eval,
    )  # fmt: skip
    return dict(zip(NAMES, functions))


def _is_data(value: Any) -> bool:
    from mmengine.logging import HistoryBuffer

    from go4align_plugins.mmengine import compat

    kept = (*HistoryBuffer._statistics_methods.values(), *map(_functions().get, NAMES[:5]))
    if isinstance(value, (*DATA, HistoryBuffer)):
        return True
    return callable(value) and (value in kept or value is compat._get_statistic)


class Call:
    """Pickles as the call of a function, and a state for what it returns."""

    def __init__(self, function: Any, args: tuple[Any, ...], state: Any) -> None:
        self.call = (function, args, *(() if state is None else (state,)))

    def __reduce__(self) -> Any:
        return self.call


words = st.sampled_from(('min', 'mean', '__globals__', '__class__', 'f8', 'O', 'V8', 'os', 'b'))
named = st.sampled_from(NAMES)
pickled = st.recursive(
    st.one_of(plain, st.binary(max_size=16), words, st.tuples(st.just('name'), named)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(st.just('call'), named, st.lists(inner, max_size=4), st.none() | inner),
    ),
    max_leaves=12,
)


def _build(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_build, value))
    if isinstance(value, tuple) and value[0] == 'name':
        return _functions()[value[1]]
    if isinstance(value, tuple):
        _, name, args, state = value
        return Call(_functions()[name], tuple(map(_build, args)), _build(state))
    return value


def check_pickle(value: Any, folder: Path) -> None:
    """Whatever a file calls of what MMEngine's checkpoints may call, what comes of it is data."""
    importlib.import_module('go4align_plugins.mmengine')
    path = folder / 'epoch_1.pth'
    try:
        path.write_bytes(_saved({'meta': _build(value)}))
    except Exception:  # no such pickle can be made
        return
    _load_harmless(path)


def _tensors(value: Any) -> Any:
    """Lists of numbers as tensors, wherever they are."""
    if isinstance(value, dict):
        return {key: _tensors(entry) for key, entry in value.items()}
    if isinstance(value, list) and not any(isinstance(entry, (str, list)) for entry in value):
        try:
            return torch.tensor(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return value
    return value


def check_state(value: Any, folder: Path) -> None:
    """A wrapper goes on from a state, or says what is wrong with it."""
    from go4align_plugins.mmengine import GO4AlignOptimWrapper

    wrapper = GO4AlignOptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.ones(()))], lr=0.1))
    wrapper.load_state_dict({**wrapper.state_dict(), 'weighting': _tensors(value)})
    if wrapper.weighting is not None:
        weights = wrapper.weighting(torch.ones(len(wrapper.task_names)))
        assert all(map(math.isfinite, weights.tolist()))


def _pointed() -> Any:
    return st.tuples(damaged(b'FOLDER/epoch_1.pth'), archive(_checkpoint_of_mmengine()))


TARGETS = {
    'checkpoint': Target(st.deferred(lambda: archive(_checkpoint())), check_checkpoint),
    'mmengine_checkpoint': Target(st.deferred(_pointed), check_mmengine, needs=('mmengine',)),
    'mmengine_pickle': Target(pickled, check_pickle, needs=('mmengine',)),
    'mmengine_state': Target(
        altered(STATE), check_state, 'Parameter `|checkpoint', needs=('mmengine',)
    ),
}
