"""Files that version 0.1.0 wrote, in `kept_0.1.0`: they load, and go on to the same end."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import torch

from go4align_plugins import GO4Align

KEPT = Path(__file__).with_name('kept_0.1.0')


def test_state_of_the_weighting():
    kept = torch.load(KEPT / 'weighting.pt', weights_only=True)
    weighting = GO4Align(3, 2, step_size=0.1)
    weighting.load_state_dict(kept['state'])
    torch.testing.assert_close(weighting(torch.tensor(kept['next'])).tolist(), kept['weights'])


@pytest.mark.skipif(find_spec('mmengine') is None, reason='needs the extra `mmseg`')
def test_checkpoint_of_an_optimizer_wrapper():
    from go4align_plugins.mmengine import GO4AlignOptimWrapper

    kept = torch.load(KEPT / 'wrapper.pth', weights_only=True)
    scale = torch.nn.ParameterDict({'a': torch.ones(()), 'b': torch.ones(())})
    wrapper = GO4AlignOptimWrapper(torch.optim.SGD(scale.parameters(), lr=1.0), step_size=0.1)
    wrapper.load_state_dict(kept['optim_wrapper'])
    assert wrapper.task_names == ('a', 'b')
    risk = wrapper.weighting.indicator.accumulated_risk
    torch.testing.assert_close(risk.tolist(), [0.18, 0.62])


@pytest.mark.integration
@pytest.mark.skipif(
    None in map(find_spec, ('LibMTL', 'torch_geometric')), reason='needs the extras libmtl, qm9'
)
def test_run_folder_goes_on(tmp_path, monkeypatch):
    from go4align_plugins.libmtl.train import main

    from .data.molecule_files import write_npz

    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / 'qm9')
    shutil.copytree(KEPT / 'run', tmp_path / 'run')
    options = ['--dataset', 'qm9', '--data', 'qm9', '--weighting', 'GO4Align', '--out', 'run']
    options += ['--GO4Align_step_size', '0.1', '--batch-size', '4', '--seed', '0', '--resume']
    assert main([*options, '--epochs', '2']) == 0
    found, expected = (
        pd.json_normalize([*map(json.loads, path.read_text().splitlines())])
        for path in (tmp_path / 'run' / 'metrics.jsonl', KEPT / 'two_epochs.jsonl')
    )
    found, expected = (table.filter(regex='^(?!seconds)') for table in (found, expected))
    pd.testing.assert_frame_equal(found, expected, check_like=True, rtol=1e-4, atol=1e-6)
