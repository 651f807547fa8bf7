"""The launcher: unchanged LibMTL scripts, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from go4align_plugins.data.scenes import render

from .. import ROOT

MAIN = os.environ.get('LIBMTL_MAIN')

SCRIPT = """
import sys
from helper import TASKS, Error, Loss, build_loader
sys.path.append('../shared_code')
from decoders import build_decoders

import torch
from LibMTL import Trainer
from LibMTL.config import LibMTL_args, prepare_args
from LibMTL.model import resnet_dilated
from LibMTL.utils import set_device, set_random_seed

params = LibMTL_args.parse_args()
set_device(params.gpu_id)
set_random_seed(params.seed)
kwargs, optim_param, scheduler_param = prepare_args(params)
tasks = {task: {'metrics': ['error'], 'metrics_fn': Error(), 'loss_fn': Loss(), 'weight': [0]}
         for task in TASKS}
trainer = Trainer(task_dict=tasks, weighting=params.weighting, architecture=params.arch,
                  encoder_class=lambda: resnet_dilated('resnet18'), decoders=build_decoders(TASKS),
                  rep_grad=params.rep_grad, multi_input=params.multi_input,
                  optim_param=optim_param, scheduler_param=scheduler_param, **kwargs)
trainer.train(build_loader(), build_loader(), 1)
print('weights of the last step', trainer.batch_weight[:, -1, -1].tolist())
print('device', trainer.device, 'script', __name__, sys.argv[0])
"""

HELPER = """
import torch
from LibMTL.loss import AbsLoss
from LibMTL.metrics import AbsMetric

TASKS = ('a', 'b', 'c')

class Loss(AbsLoss):
    def compute_loss(self, pred, gt):
        return (pred.mean((2, 3)) - gt).square().mean()

class Error(AbsMetric):
    def update_fun(self, pred, gt):
        self.record.append(0.0)
    def score_fun(self):
        return [1.0]

def build_loader():
    frames = [(torch.rand(3, 32, 32), {task: torch.ones(1) for task in TASKS}) for _ in range(4)]
    return torch.utils.data.DataLoader(frames, batch_size=2)
"""

DECODERS = """
from torch import nn

def build_decoders(tasks):
    return nn.ModuleDict({task: nn.Conv2d(512, 1, 1) for task in tasks})
"""


def launch(*options: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    path = os.pathsep.join(filter(None, [str(ROOT), environment.pop('PYTHONPATH', '')]))
    return subprocess.run(
        [sys.executable, '-m', 'go4align_plugins.libmtl', *options],
        cwd=cwd, capture_output=True, text=True, timeout=600,
        env={**os.environ, **environment, 'PYTHONPATH': path},
    )  # fmt: skip


@pytest.fixture
def script(tmp_path):
    """A script that imports from its own folder and from a relative one, as LibMTL's do."""
    for name, text in {
        'example/main.py': SCRIPT,
        'example/helper.py': HELPER,
        'shared_code/decoders.py': DECODERS,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Path('example', 'main.py')


@pytest.mark.integration
def test_unchanged_script_trains(script, tmp_path):
    options = ('--device', 'cpu', '--no-pretrained', str(script), '--weighting', 'GO4Align')
    done = launch(*options, '--GO4Align_num_groups', '1', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    weights = done.stdout.split('weights of the last step ')[1].splitlines()[0]
    assert len(set(eval(weights))) == 1
    assert 'device cpu script __main__ example/main.py' in done.stdout
    assert 'GO4Align_num_groups: 1' in done.stdout


@pytest.mark.integration
def test_launcher_explains_itself(tmp_path):
    done = launch('--help', cwd=tmp_path)
    assert '--no-pretrained' in done.stdout
    done = launch('nowhere.py', cwd=tmp_path)
    assert done.returncode == 2
    assert 'Parameter `script` should be a file. Found `nowhere.py`.' in done.stderr


needs_main = pytest.mark.skipif(
    not MAIN, reason="needs a checkout of LibMTL's GitHub main, its path in LIBMTL_MAIN"
)


@needs_main
@pytest.mark.integration
@pytest.mark.parametrize(
    ('example', 'benchmark', 'size'),
    [('nyu', 'rooms', (288, 384)), ('cityscapes', 'streets', (128, 256))],
)
def test_examples_of_libmtl_main(tmp_path, example, benchmark, size):
    for split in ('train', 'val'):
        for index in range(2):
            frame = render(benchmark, 0, index, size, split=split)
            parts = {'image': frame.image, 'label': frame.label, 'depth': frame.depth}
            parts.update({} if frame.normal is None else {'normal': frame.normal})
            for name, array in parts.items():
                (tmp_path / split / name).mkdir(parents=True, exist_ok=True)
                np.save(tmp_path / split / name / f'{index}.npy', array)
    done = launch(
        '--device', 'cpu', '--no-pretrained', f'{MAIN}/examples/{example}/main.py',
        '--weighting', 'GO4Align', '--dataset_path', str(tmp_path), '--scheduler', 'step',
        '--train_bs', '2', '--test_bs', '2', '--epochs', '1',
        cwd=tmp_path, PYTHONPATH=str(MAIN),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'Epoch: 0000' in done.stdout


@needs_main
@pytest.mark.integration
@pytest.mark.parametrize('tests', ['test_strategies.py', 'test_grouped.py'])
def test_strategies_in_libmtl_main(tests):
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', str(Path(__file__).with_name(tests))],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), str(MAIN)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
