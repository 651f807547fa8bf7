"""The tools as a new user runs them: training, resuming, two processes, pictures, mistakes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from PIL import Image
from torch.nn.parallel import DistributedDataParallel

from go4align_plugins.mmseg.apis import launch, load_config
from go4align_plugins.mmseg.apis import test as test_tool
from go4align_plugins.mmseg.apis.train import build_parser, drop_pretrained, main, use_amp

from .. import ROOT, TOOLS

CONFIG = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'
ENVIRONMENT = {**os.environ, 'PYTHONPATH': str(ROOT)}
ENVIRONMENT['PATH'] = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'


def options(data: Path) -> list[str]:
    """One epoch, in this process alone."""
    each = [f'dataset.data_root={data}', 'num_workers=0', 'persistent_workers=False']
    settings = [f'{loader}.{setting}' for loader in launch.LOADERS for setting in each]
    settings += ['train_dataloader.batch_size=2', 'train_cfg.max_epochs=1']
    return ['--cfg-options', *settings]


def run(tool: str | Path, *arguments: object, cwd: Path, **environment: str) -> str:
    """Run a tool as a user does; return its output."""
    command = [*map(str, [TOOLS / tool, *arguments])]
    command = command if command[0].endswith('.sh') else [sys.executable, *command]
    variables = {**ENVIRONMENT, **environment}
    done = subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.integration
def test_a_run_and_its_pictures(frames64, tmp_path):
    said = run('train_mmseg.py', CONFIG, *options(frames64), cwd=tmp_path)
    folder = tmp_path / 'work_dirs' / CONFIG.stem
    (log,) = folder.glob('*/vis_data/scalars.json')
    val = json.loads(log.read_text().splitlines()[-1])
    assert {'segmentation/mIoU', 'depth/abs_err', 'normal/mean', 'normal/<11.25'} <= set(val)
    (line,) = [line for line in said.splitlines() if 'Epoch(val) [1]' in line]
    assert 'delta_m' in line
    assert (folder / 'metrics.jsonl').exists()
    assert json.loads((folder / 'config.json').read_text())['weighting'] == 'GO4Align'

    checkpoint = (folder / 'last_checkpoint').read_text()
    drawing = ['--show-dir', 'pictures', *options(frames64)]
    run('test_mmseg.py', CONFIG, checkpoint, *drawing, cwd=tmp_path)
    pictures = sorted((tmp_path / 'pictures').glob('**/*.png'))
    assert len(pictures) == 2
    pixels = np.asarray(Image.open(pictures[0]).convert('RGB'))
    # A map that is drawn has many colours; text and paper have few.
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000


@pytest.mark.integration
def test_two_processes_train_alike(frames64, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    words = [CONFIG, 2, '--work-dir', 'two', *options(frames64)]
    run('dist_train.sh', *words, cwd=tmp_path, PORT=port)
    assert len((tmp_path / 'two/metrics.jsonl').read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        (main, ['missing.py'], 'train_mmseg.py: error: .*missing.py'),
        (main, [CONFIG, '--tasks', 'flow'], 'should name heads of the model: segmentation'),
        (main, [CONFIG], 'python tools/prepare_data.py'),
        (test_tool.main, [CONFIG, 'missing.pth'], 'missing.pth: there is no such checkpoint'),
        (test_tool.main, [CONFIG, CONFIG, '--show', '--interval', '0'], 'Found `interval = 0`'),
    ],
)
def test_mistakes_are_errors_without_traceback(
    tmp_path, monkeypatch, capsys, tool, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert tool([*map(str, arguments)]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize('key', ['load_from', 'model.backbone.init_cfg.checkpoint'])
def test_weights_that_are_none_are_an_error_without_traceback(tmp_path, capsys, key):
    weights = tmp_path / 'weights.pth'
    weights.write_bytes(b'404: Not Found')
    own = ['--cfg-options', f'{key}={weights}', 'model.backbone.init_cfg.type=Pretrained']
    for tool, words in ((main, own), (test_tool.main, [str(weights)])):
        assert tool([str(CONFIG), *words]) == 2
        said = capsys.readouterr().err
        assert f'error: {weights}: should hold weights. Found: another kind of file' in said


@pytest.mark.parametrize('name', ['OptimWrapper', 'GO4AlignOptimWrapper'])
def test_amp_changes_the_wrapper_alone(name):
    config = Config({'optim_wrapper': {'type': name, 'accumulative_counts': 2}})
    for _ in range(2):
        use_amp(config)
        assert config.optim_wrapper.type == name.replace('Optim', 'AmpOptim')
    assert config.optim_wrapper.accumulative_counts == 2
    config.optim_wrapper.type = 'DeepSpeedOptimWrapper'
    with pytest.raises(ValueError, match='DeepSpeedOptimWrapper'):
        use_amp(config)


def test_pretrained_weights_are_dropped_at_any_depth():
    normal = {'type': 'Normal', 'std': 0.01}
    backbone = [{'init_cfg': {'type': 'Pretrained', 'checkpoint': 'b'}}]
    model = ConfigDict(pretrained='a', backbone=backbone, head={'init_cfg': normal})
    drop_pretrained(model)
    assert model == {'backbone': [{'init_cfg': None}], 'head': {'init_cfg': normal}}


@pytest.mark.skipif(not Path('/proc/self/task').exists(), reason='threads are counted on Linux')
def test_gloos_threads_end_before_python_does(tmp_path, monkeypatch):
    def threads():
        return len(list(Path('/proc/self/task').iterdir()))

    class Worker:
        def __init__(self):
            self.own = self  # as a Runner is held by its loops
            self.model = DistributedDataParallel(torch.nn.Linear(2, 2))

        def train(self):
            during.append(threads())

    before, during = threads(), []
    store = f'file://{tmp_path}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    monkeypatch.setattr(launch.Runner, 'from_cfg', lambda config: Worker())
    launch.start(Config(), 'train')
    assert not torch.distributed.is_initialized()
    assert threads() <= before < during[0]


def test_a_config_is_made_to_run_here(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    path = tmp_path / 'own.py'
    # As MMEngine marks what is inherited by `go4align_plugins::`; of GPUs, at any depth.
    norm = "norm=[dict(type='SyncBN'), dict(a=dict(type='mmseg.SyncBN'))]"
    path.write_text(f"model = dict(backbone=dict(type='A', _scope_='go4align_plugins', {norm}))\n")
    config = load_config(build_parser().parse_args([str(path)]))
    assert config.model.backbone['_scope_'] == 'mmseg'
    assert config.model.backbone['norm'] == [{'type': 'BN'}, {'a': {'type': 'BN'}}]
    assert config.work_dir == str(Path('work_dirs', 'own'))
