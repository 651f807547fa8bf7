"""The tools as a new user runs them: training, resuming, two processes, pictures, inference."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.parallel import DistributedDataParallel

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmseg  # noqa: F401, I001  (mends what importing mmseg needs)

from mmengine.config import Config, ConfigDict

from go4align_plugins.mmseg.apis import launch
from go4align_plugins.mmseg.apis.launch import load_config, replace_in
from go4align_plugins.mmseg.apis import test as test_tool
from go4align_plugins.mmseg.apis.train import build_parser, drop_pretrained, main, use_amp

from .. import ROOT, TOOLS
from .frames import write_frames

CONFIG = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'
COUNTS = {'train': 8, 'val': 2}


@pytest.fixture(scope='module')
def rooms(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp('rooms'), COUNTS, (64, 64))


def options(rooms: Path, epochs: int = 1) -> list[str]:
    data = [f'{loader}_dataloader.dataset.data_root={rooms}' for loader in ('train', 'val', 'test')]
    workers = [
        f'{loader}_dataloader.{key}'
        for loader in ('train', 'val', 'test')
        for key in ('num_workers=0', 'persistent_workers=False')
    ]
    batch = ['train_dataloader.batch_size=2', f'train_cfg.max_epochs={epochs}']
    return ['--cfg-options', *data, *workers, *batch, 'randomness.seed=0']


def run(tool: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(TOOLS / tool), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def read_log(work_dir: Path) -> list[dict]:
    """All runs of a folder, one after the other."""
    paths = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.fixture(scope='module')
def trained(rooms, tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    done = run('train_mmseg.py', CONFIG, *options(rooms), cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / 'work_dirs' / CONFIG.stem, done


@pytest.mark.integration
def test_log_has_weights_groups_and_metrics(trained):
    folder, done = trained
    (val,) = [line for line in read_log(folder) if 'delta_m' in line]
    assert {'segmentation/mIoU', 'depth/abs_err', 'normal/mean', 'normal/<11.25'} <= set(val)
    (line,) = [line for line in done.stdout.splitlines() if 'Epoch(val) [1]' in line]
    assert 'delta_m' in line
    assert (folder / 'metrics.jsonl').exists()
    assert json.loads((folder / 'config.json').read_text())['weighting'] == 'GO4Align'


@pytest.mark.integration
def test_resumed_run_goes_on(trained, rooms):
    folder, _ = trained
    done = run('train_mmseg.py', CONFIG, '--resume', *options(rooms, 2), cwd=folder.parents[1])
    assert done.returncode == 0, done.stderr[-2000:]
    assert [json.loads(line)['epoch'] for line in (folder / 'metrics.jsonl').open()] == [0, 1]


@pytest.mark.integration
def test_pictures_show_each_frame(trained, rooms, tmp_path):
    folder, _ = trained
    checkpoint = (folder / 'last_checkpoint').read_text()
    done = run(
        'test_mmseg.py', CONFIG, checkpoint, '--show-dir', 'pictures', *options(rooms), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pictures = sorted((tmp_path / 'pictures').glob('**/*.png'))
    assert len(pictures) == COUNTS['val']
    pixels = np.asarray(Image.open(pictures[0]).convert('RGB'))
    assert pixels.shape[1] > 1000
    # A map that is drawn has many colours; text and paper have few.
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000


@pytest.mark.integration
def test_two_processes_train_alike(rooms, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [str(TOOLS / 'dist_train.sh'), str(CONFIG), '2', '--work-dir', 'two', *options(rooms)],
        cwd=tmp_path,
        env={
            **os.environ,
            'PORT': str(port),
            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len((tmp_path / 'two/metrics.jsonl').read_text().splitlines()) == 1


def test_missing_files_are_errors_without_traceback(capsys):
    assert main(['missing.py']) == 2
    assert 'train_mmseg.py: error:' in capsys.readouterr().err
    assert test_tool.main([str(CONFIG), 'missing.pth']) == 2
    assert 'missing.pth: there is no such checkpoint' in capsys.readouterr().err


def test_missing_data_is_an_error_without_traceback(tmp_path, capsys):
    nowhere = f'train_dataloader.dataset.data_root={tmp_path / "nowhere"}'
    assert main([str(CONFIG), '--work-dir', str(tmp_path), '--cfg-options', nowhere]) == 2
    assert 'python tools/prepare_data.py' in capsys.readouterr().err


def test_a_damaged_frame_is_an_error_without_traceback(rooms, tmp_path, capsys):
    data = tmp_path / 'data'
    shutil.copytree(rooms, data)
    damaged = data / 'train/depth/3.npy'
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert main([str(CONFIG), '--work-dir', str(tmp_path / 'run'), *options(data)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f'train_mmseg.py: error: {damaged}: should be a whole .npy file')
    assert 'Delete it and' in said


@pytest.mark.parametrize('key', ['load_from', 'model.backbone.init_cfg.checkpoint'])
@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (b'version https://git-lfs.github.com/spec/v1\n', 'a pointer of Git LFS'),
        (b'<html>', 'a web page'),
        (b'404: Not Found', "another kind of file, .* b'404: Not Found'"),
    ],
)
def test_weights_that_are_none_are_an_error_without_traceback(
    rooms, tmp_path, capsys, key, content, found
):
    weights = tmp_path / 'weights.pth'
    weights.write_bytes(content)
    own = [*options(rooms), f'{key}={weights}', 'model.backbone.init_cfg.type=Pretrained']
    assert main([str(CONFIG), '--work-dir', str(tmp_path / 'run'), *own]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(f'error: {weights}: should hold weights. Found: {found}', said)
    if key == 'load_from':
        assert test_tool.main([str(CONFIG), str(weights)]) == 2
        assert re.search(f'error: {weights}: should hold weights', capsys.readouterr().err)


def test_picture_options_are_checked(tmp_path, capsys):
    checkpoint = tmp_path / 'a.pth'
    checkpoint.touch()
    arguments = [str(CONFIG), str(checkpoint), '--show-dir', 'pictures', '--interval', '0']
    assert test_tool.main(arguments) == 2
    assert 'Found `interval = 0`' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ('OptimWrapper', 'AmpOptimWrapper'),
        ('AmpOptimWrapper', 'AmpOptimWrapper'),
        ('GO4AlignOptimWrapper', 'GO4AlignAmpOptimWrapper'),
    ],
)
def test_amp_changes_the_wrapper_alone(before, after):
    config = Config({'optim_wrapper': {'type': before, 'accumulative_counts': 2}})
    use_amp(config)
    assert config.optim_wrapper.type == after
    assert config.optim_wrapper.accumulative_counts == 2


def test_amp_refuses_other_wrappers():
    with pytest.raises(ValueError, match='Found `DeepSpeedOptimWrapper`'):
        use_amp(Config({'optim_wrapper': {'type': 'DeepSpeedOptimWrapper'}}))


def test_pretrained_weights_are_dropped_at_any_depth():
    normal = {'type': 'Normal', 'std': 0.01}
    model = ConfigDict(
        pretrained='a',
        backbone=[{'init_cfg': {'type': 'Pretrained', 'checkpoint': 'b'}}],
        head={'init_cfg': normal},
    )
    drop_pretrained(model)
    assert model == {'backbone': [{'init_cfg': None}], 'head': {'init_cfg': normal}}


@pytest.mark.skipif(not Path('/proc/self/task').exists(), reason='threads are counted on Linux')
def test_gloos_threads_end_before_python_does(tmp_path, monkeypatch):
    def threads() -> int:
        return len(list(Path('/proc/self/task').iterdir()))

    class Worker:
        def __init__(self) -> None:
            self.own = self  # as a Runner is held by its loops
            self.model = DistributedDataParallel(torch.nn.Linear(2, 2))

        def train(self) -> None:
            during.append(threads())

    before, during = threads(), []
    store = f'file://{tmp_path}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    monkeypatch.setattr(launch.Runner, 'from_cfg', lambda config: Worker())
    launch.start(Config(), 'train')
    assert not torch.distributed.is_initialized()
    assert threads() <= before < during[0]


def test_values_are_replaced_at_any_depth():
    model = {'a': [{'type': 'SyncBN'}], 'b': {'type': 'LN', 'c': {'type': 'SyncBN'}}}
    replace_in(model, 'type', {'SyncBN': 'BN'})
    assert model == {'a': [{'type': 'BN'}], 'b': {'type': 'LN', 'c': {'type': 'BN'}}}


def test_configs_of_this_package_are_of_mmsegs_scope(tmp_path):
    path = tmp_path / 'own.py'
    # As MMEngine marks what is inherited by `go4align_plugins::`.
    path.write_text("model = dict(backbone=dict(type='MTLSegNet', _scope_='go4align_plugins'))\n")
    config = load_config(build_parser().parse_args([str(path)]))
    assert config.model.backbone['_scope_'] == 'mmseg'
    assert config.work_dir == str(Path('work_dirs', 'own'))


def test_help_names_every_option():
    text = build_parser().format_help()
    for name in ('work-dir', 'resume', 'amp', 'no-pretrained', 'cfg-options', 'launcher'):
        assert f'--{name}' in text
