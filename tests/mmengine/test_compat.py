"""Checkpoints without code load on today's torch; mmcv-lite serves until it is asked to work."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

import go4align_plugins.mmengine

ROOT = Path(__file__).parents[2]
SAFE_BY_DEFAULT = torch.__version__ >= '2.6'
needs_safe_torch = pytest.mark.skipif(
    not SAFE_BY_DEFAULT, reason='this torch reads every checkpoint'
)
needs_lite = pytest.mark.skipif(
    not any(d.metadata['Name'] == 'mmcv-lite' for d in importlib.metadata.distributions()),
    reason='mmcv-lite is not installed',
)


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


def save(content: Any, folder: Path) -> Path:
    path = folder / 'checkpoint.pth'
    torch.save(content, path)
    return path


def test_log_of_a_training_loads(tmp_path):
    log = OrderedDict()
    for dtype in (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_):
        buffer = HistoryBuffer([dtype(1)], [1])
        buffer.update(3.0)
        log[f'train/{np.dtype(dtype)}'] = buffer
    content = {'message_hub': {'log_scalars': log}, 'best': np.float32(0.5), 'array': np.ones(2)}
    loaded = torch.load(save(content, tmp_path))
    assert loaded['best'] == np.float32(0.5)
    assert loaded['array'].tolist() == [1, 1]
    for buffer in loaded['message_hub']['log_scalars'].values():
        assert buffer.data[0].tolist() == [1, 3]
        assert buffer.statistics('mean') == 2


@needs_safe_torch
@pytest.mark.parametrize(
    'danger',
    [
        Call(os.system, 'touch {marker}'),
        Call(eval, 'open({marker!r}, "w")'),
        Call(getattr, Call(importlib.import_module, 'os'), 'system'),
        Call(getattr, HistoryBuffer, '__init__'),
        Call(getattr, np.ndarray, 'tofile'),
        Call(getattr, HistoryBuffer, 'register_statistics'),
    ],
)
def test_file_with_code_is_refused(tmp_path, danger):
    marker = tmp_path / 'marker'
    function, args = danger.call
    args = tuple(a.format(marker=str(marker)) if isinstance(a, str) else a for a in args)
    path = save({'state_dict': {}, 'meta': Call(function, *args)}, tmp_path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path)
    assert not marker.exists()


@needs_safe_torch
def test_code_behind_a_statistic_is_refused(tmp_path):
    method = Call(getattr, Call(getattr, HistoryBuffer, 'min'), '__globals__')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(save({'meta': method}, tmp_path))


@needs_lite
def test_missing_operation_tells_the_remedy():
    operations = importlib.import_module('mmcv.ops')
    assert importlib.util.find_spec('mmcv._ext') is not None
    with pytest.raises(ImportError, match=r'`nms`.*mim install "mmcv>=2.0.0,<2.2.0"'):
        operations.nms(torch.rand(3, 4), torch.rand(3), 0.5)


@needs_lite
def test_environment_is_reported():
    report = importlib.import_module('mmcv.utils').collect_env()
    assert report['MMCV Compiler'] == 'not compiled'


@needs_lite
@pytest.mark.integration
def test_compiled_half_is_preferred(tmp_path):
    """A found `mmcv._ext` is left alone, wherever in the path it is."""
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / '_ext.py').write_text('nms = "compiled"')
    code = (
        'import importlib, go4align_plugins.mmengine;'
        'print(importlib.import_module("mmcv._ext").nms)'
    )
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    done = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == 'compiled'


@needs_lite
def test_stand_in_is_made_once():
    before = sys.modules['mmcv._ext']
    go4align_plugins.mmengine.provide_mmcv_operations()
    assert sys.modules['mmcv._ext'] is before
