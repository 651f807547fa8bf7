"""The launcher: unchanged LibMTL scripts, run as a user runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.libmtl.__main__ import main

from .. import ROOT

MAIN = os.environ.get('LIBMTL_MAIN')

# It imports from its own folder and from a relative one, as LibMTL's examples do.
SCRIPT = """
import sys
import torch
from torch import nn
from LibMTL import Trainer
from LibMTL.config import LibMTL_args, prepare_args
from LibMTL.model import resnet_dilated
sys.path.append('../shared_code')
from rules import Error, Loss
from names import TASKS

params = LibMTL_args.parse_args()
kwargs, optim_param, scheduler_param = prepare_args(params)
frames = [(torch.rand(3, 32, 32), {task: torch.ones(1) for task in TASKS}) for _ in range(4)]
loader = torch.utils.data.DataLoader(frames, batch_size=2)
trainer = Trainer(
    {task: {'metrics': ['error'], 'metrics_fn': Error(), 'loss_fn': Loss(), 'weight': [0]}
     for task in TASKS},
    params.weighting, params.arch, lambda: resnet_dilated('resnet18'),
    nn.ModuleDict({task: nn.Conv2d(512, 1, 1) for task in TASKS}),
    params.rep_grad, params.multi_input, optim_param, scheduler_param, **kwargs)
trainer.train(loader, loader, 1)
print('weights of the last step', trainer.batch_weight[:, -1, -1].tolist())
print('device', trainer.device, 'script', __name__, sys.argv[0])
"""
RULES = """
from LibMTL.loss import AbsLoss
from LibMTL.metrics import AbsMetric

class Loss(AbsLoss):
    def compute_loss(self, pred, gt):
        return (pred.mean((2, 3)) - gt).square().mean()

class Error(AbsMetric):
    update_fun = lambda self, pred, gt: None
    score_fun = lambda self: [1.0]
"""
FILES = {
    'example/main.py': SCRIPT,
    'example/names.py': "TASKS = ('a', 'b', 'c')",
    'shared_code/rules.py': RULES,
}
pytestmark = pytest.mark.integration


def launch(*options: str, cwd: Path, path: str = '') -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-m', *options], cwd=cwd, capture_output=True, text=True, timeout=600,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), path])},
    )  # fmt: skip


def test_unchanged_script_trains(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = launch(
        'go4align_plugins.libmtl', '--device', 'cpu', '--no-pretrained', 'example/main.py',
        '--weighting', 'GO4Align', '--GO4Align_num_groups', '1', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r'weights of the last step \[([\d.]+), \1, \1\]', done.stdout)
    assert 'device cpu script __main__ example/main.py' in done.stdout
    assert 'GO4Align_num_groups: 1' in done.stdout


def test_missing_script_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['libmtl', 'nowhere.py'])
    with pytest.raises(SystemExit):
        main()
    assert 'Parameter `script` should be a file. Found `nowhere.py`.' in capsys.readouterr().err


needs_main = pytest.mark.skipif(
    not MAIN, reason="needs a checkout of LibMTL's GitHub main, its path in LIBMTL_MAIN"
)


@needs_main
@pytest.mark.parametrize(
    ('example', 'benchmark', 'size'),
    [('nyu', 'rooms', (288, 384)), ('cityscapes', 'streets', (128, 256))],
)
def test_examples_of_libmtl_main(tmp_path, example, benchmark, size):
    render_dataset(benchmark, tmp_path, 0, size, {'train': 2, 'val': 2})
    done = launch(
        'go4align_plugins.libmtl', '--device', 'cpu', '--no-pretrained',
        f'{MAIN}/examples/{example}/main.py', '--weighting', 'GO4Align',
        '--dataset_path', str(tmp_path), '--scheduler', 'step',
        '--train_bs', '2', '--test_bs', '2', '--epochs', '1', cwd=tmp_path, path=str(MAIN),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'Epoch: 0000' in done.stdout


@needs_main
@pytest.mark.parametrize('tests', ['test_strategies.py', 'test_grouped.py'])
def test_strategies_in_libmtl_main(tests):
    file = str(Path(__file__).with_name(tests))
    done = launch('pytest', '-q', file, cwd=ROOT, path=str(MAIN))
    assert done.returncode == 0, done.stdout
