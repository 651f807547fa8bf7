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

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

import go4align_plugins.mmengine

from .. import ROOT

needs_lite = pytest.mark.skipif(
    not any(d.metadata['Name'] == 'mmcv-lite' for d in importlib.metadata.distributions()),
    reason='mmcv-lite is not installed',
)


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def reload(content, folder):
    torch.save(content, folder / 'checkpoint.pth')
    return torch.load(folder / 'checkpoint.pth')


def test_log_of_a_training_loads(tmp_path):
    log = OrderedDict()
    for dtype in (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_):
        log[f'train/{np.dtype(dtype)}'] = HistoryBuffer([dtype(1), 3.0], [1, 1])
    loaded = reload({'log_scalars': log, 'best': np.float32(0.5), 'array': np.ones(2)}, tmp_path)
    assert loaded['best'] == np.float32(0.5)
    assert loaded['array'].tolist() == [1, 1]
    for buffer in loaded['log_scalars'].values():
        assert buffer.data[0].tolist() == [1, 3]
        assert buffer.statistics('mean') == 2


@pytest.mark.skipif(torch.__version__ < '2.6', reason='this torch reads every checkpoint')
@pytest.mark.parametrize(
    'danger',
    [
        Call(os.mkdir, 'made'),
        Call(eval, '__import__("os").mkdir("made")'),
        Call(getattr, Call(importlib.import_module, 'os'), 'system'),
        Call(getattr, HistoryBuffer, '__init__'),
        Call(getattr, np.ndarray, 'tofile'),
        Call(getattr, HistoryBuffer, 'register_statistics'),
        Call(getattr, Call(getattr, HistoryBuffer, 'min'), '__globals__'),
    ],
)
def test_file_with_code_is_refused(tmp_path, monkeypatch, danger):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError):
        reload({'state_dict': {}, 'meta': danger}, tmp_path)
    assert not Path('made').exists()


@needs_lite
def test_missing_operation_names_the_remedy():
    operations = importlib.import_module('mmcv.ops')
    assert importlib.util.find_spec('mmcv._ext') is not None
    with pytest.raises(ImportError, match=r'`nms`.*mim install "mmcv>=2.0.0,<2.2.0"'):
        operations.nms(torch.rand(3, 4), torch.rand(3), 0.5)
    assert importlib.import_module('mmcv.utils').collect_env()['MMCV Compiler'] == 'not compiled'
    before = sys.modules['mmcv._ext']
    go4align_plugins.mmengine.provide_mmcv_operations()
    assert sys.modules['mmcv._ext'] is before


@needs_lite
@pytest.mark.integration
def test_compiled_half_is_preferred(tmp_path):
    """A found `mmcv._ext` is left alone, wherever in the path it is."""
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv/__init__.py').write_text('')
    (tmp_path / 'mmcv/_ext.py').write_text('nms = "compiled"')
    code = 'import go4align_plugins.mmengine; from mmcv import _ext; print(_ext.nms)'
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    found = subprocess.check_output([sys.executable, '-c', code], env=environment, text=True)
    assert found == 'compiled\n'
