"""Every config of this package, and mmseg's own below the weighting base, by a step of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from go4align_plugins.data import get_benchmark
from go4align_plugins.mmengine import GO4AlignOptimWrapper
from go4align_plugins.mmseg.apis.launch import dicts_in, select_tasks
from go4align_plugins.mmseg.apis.train import drop_pretrained

from .. import ROOT
from .frames import write_frames, write_official

CONFIGS = ROOT / 'configs'
WEIGHTING = CONFIGS / '_base_/weighting/go4align.py'
EXPERIMENTS = sorted(path.relative_to(CONFIGS) for path in CONFIGS.glob('[!_]*/*.py'))
SIZE = (64, 64)

MMSEG_CONFIGS = [
    'fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'danet/danet_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py',
    'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
    'unet/unet-s5-d16_fcn_4xb4-ce-1.0-dice-3.0-40k_drive-64x64.py',
    'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py',
    'bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py',
]
SINGLE_TASKS = [
    (Path('segnet/segnet-small_ew_nyuv2-288x384.py'), 'normal'),
    (Path('segnet/segnet-small_ew_cityscapes-128x256.py'), 'segmentation'),
]


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    root = tmp_path_factory.mktemp('frames')
    counts = {'train': 2, 'val': 1}
    for split in counts:
        write_official(root / 'official', split)
    write_frames(root / 'three', counts, SIZE)
    write_frames(root / 'two', counts, SIZE, streets=True)
    return root


def shrink(config: Config, work_dir: Path) -> Config:
    config.work_dir = str(work_dir)
    # MMEngine's global instances go by these names: each run has its own.
    config.visualizer.name = config.experiment_name = str(work_dir).replace('/', '-')
    config.env_cfg.update(cudnn_benchmark=False, mp_cfg={'mp_start_method': 'fork'})
    drop_pretrained(config.model)
    for head in dicts_in(config.model):
        if 'in_channels' in head and head.get('channels', 0) > 64:
            head['channels'] = 64
    config.default_hooks.checkpoint = None
    config.default_hooks.logger.interval = 1
    config.log_processor.window_size = 1
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    return config


def read_log(work_dir: Path) -> list[dict]:
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.integration
@pytest.mark.parametrize(
    ('name', 'task'),
    [*((name, None) for name in EXPERIMENTS), *SINGLE_TASKS],
    ids=lambda value: value and getattr(value, 'stem', value),
)
def test_experiment_trains_and_is_evaluated(name, task, frames, tmp_path):
    config = shrink(Config.fromfile(CONFIGS / name), tmp_path)
    if task:
        select_tasks(config, [task])
    is_three = config.train_dataloader.dataset.type == 'MTLNYUv2Dataset'
    data = 'official' if 'official' in name.stem else 'three' if is_three else 'two'
    if data == 'official':
        # Crops of 64 x 64 of frames of 16 x 24, resized to up to twice as many pixels.
        config.train_dataloader.dataset.pipeline[1].scale = (96, 64)
        config.train_dataloader.dataset.pipeline[2].crop_size = SIZE
        config.model.data_preprocessor.size = SIZE
        config.model.test_cfg.update(crop_size=SIZE, stride=(32, 32))
        larger = {'type': 'MTLResize', 'scale': (96, 64), 'resize_targets': False}
        config.val_dataloader.dataset.pipeline.insert(1, larger)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.data_root = str(frames / data)
    config.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(config)
    runner.train()

    weighted = '_go4align_' in name.stem
    assert isinstance(runner.optim_wrapper, GO4AlignOptimWrapper) == weighted
    assert isinstance(runner.optim_wrapper, OptimWrapper)
    train, val = read_log(tmp_path)
    tasks = runner.model.tasks
    assert task is None or tasks == (task,)
    columns = get_benchmark('nyuv2').select(tasks)
    assert {f'{each.name}/{metric.name}' for each in columns for metric in each.metrics} <= set(val)
    assert ('delta_m' in val) == (data != 'official')
    assert {key.split('.')[0] for key in train if '.' in key} == set(tasks)
    assert [f'weight/{task}' in train for task in tasks] == [weighted] * len(tasks)


@pytest.mark.parametrize(
    'name', [path for path in EXPERIMENTS if '_ew_' in path.stem], ids=lambda path: path.stem
)
def test_equal_weighting_and_go4align_differ_in_one_base(name):
    equal = (CONFIGS / name).read_text()
    weighted = (CONFIGS / str(name).replace('_ew_', '_go4align_')).read_text()
    assert equal.replace('weighting/equal.py', 'weighting/go4align.py') == weighted != equal


@pytest.mark.integration
@pytest.mark.parametrize('name', MMSEG_CONFIGS, ids=lambda name: Path(name).stem)
def test_mmseg_config_below_the_weighting_base(name, frames, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {["mmseg::" + name, str(WEIGHTING)]}\n')
    config = shrink(Config.fromfile(path), tmp_path / 'run')
    inherited = config.optim_wrapper.copy()
    if 'auxiliary_head' not in config.model and isinstance(config.model.decode_head, dict):
        channels = config.model.decode_head.in_channels[0]
        head = {'type': 'FCNHead', 'in_channels': channels, 'in_index': 0, 'num_classes': 13}
        config.model.auxiliary_head = {**head, 'channels': 8}
    config.model.data_preprocessor.size = SIZE
    config.model.train_cfg = {}
    for head in dicts_in(config.model):
        if 'num_classes' in head:
            head['num_classes'] = 13
            head.pop('out_channels', None)
    config.train_dataloader.dataset = {
        'type': 'MTLNYUv2Dataset',
        'data_root': str(frames / 'three'),
        'tasks': ['segmentation'],
        'pipeline': [{'type': 'LoadMTLFrame'}, {'type': 'PackSegInputs'}],
    }
    for part in ('val', 'test'):
        config[f'{part}_cfg'] = config[f'{part}_dataloader'] = config[f'{part}_evaluator'] = None
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 3}
    runner = Runner.from_cfg(config)
    runner.train()

    wrapper = runner.optim_wrapper
    assert type(wrapper) is GO4AlignOptimWrapper
    assert config.optim_wrapper == inherited
    assert type(wrapper.optimizer).__name__ == inherited.optimizer.type
    assert len(wrapper.task_names) >= 2
    for line in read_log(tmp_path / 'run'):
        assert {f'weight/{task}' for task in wrapper.task_names} <= set(line)


def test_any_strategy_by_the_base_or_the_command_line():
    """As the base's comment says: in the hook that it has, or in the wrapper of a config."""
    name = CONFIGS / 'segnet/segnet-small_ew_rooms-96x128.py'
    based = Config({'custom_hooks': Config.fromfile(WEIGHTING.with_name('libmtl.py')).custom_hooks})
    options = {'weighting': 'MGDA', 'weight_args.mgda_gn': 'l2'}
    based.merge_from_dict({f'custom_hooks.0.{key}': value for key, value in options.items()})
    named = {'weighting': 'MGDA', 'weight_args': {'mgda_gn': 'l2'}}
    assert based.custom_hooks == [{'type': 'go4align_plugins.mmengine.LibMTLHook', **named}]
    config = Config.fromfile(name)
    options['type'] = 'LibMTLOptimWrapper'
    config.merge_from_dict({f'optim_wrapper.{key}': value for key, value in options.items()})
    assert dict(config.optim_wrapper.items()).items() >= named.items()
    assert config.optim_wrapper.optimizer == Config.fromfile(name).optim_wrapper.optimizer


def test_model_index_lists_every_config():
    files = load(ROOT / 'model-index.yml')['Import']
    listed = [model['Config'] for metafile in files for model in load(ROOT / metafile)['Models']]
    assert sorted(listed) == [f'configs/{path}' for path in map(str, EXPERIMENTS)]
