"""A leaderboard's cells in MMSegmentation: their configs, and a training of each kind."""

from __future__ import annotations

import pytest

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')
pytest.importorskip('tqdm', reason='tqdm is not installed')

from mmengine.config import Config

from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.cell import check_methods
from go4align_plugins.leaderboard.run.mmseg_config import (
    build_config,
    find_config,
    weighting_options,
)
from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan
from go4align_plugins.leaderboard.run.store import RESULTS, Store

from .. import ROOT
from .frames import write_frames

GO4ALIGN = Method.parse('GO4Align:num_groups=3,step_size=1e-3')
EW = Method('EW')


def make_plan(*methods, **values):
    return Plan('mmseg', 'rooms', methods or (EW,), **values)


def test_config_is_the_small_one_with_the_cells_own():
    config = build_config(make_plan(data='somewhere'), Cell(GO4ALIGN, 3))
    assert config.model.backbone.type == 'MTLSegNet'
    assert config.optim_wrapper.type == 'GO4AlignOptimWrapper'
    assert config.optim_wrapper.num_groups == 3
    assert config.optim_wrapper.step_size == 1e-3
    assert config.optim_wrapper.optimizer == {'type': 'Adam', 'lr': 1e-3}
    assert config.randomness.seed == 3
    for part in ('train', 'val', 'test'):
        assert config[f'{part}_dataloader'].dataset.data_root == 'somewhere'


def test_single_task_is_that_of_the_training_tool():
    from go4align_plugins.mmseg.apis.launch import load_config
    from go4align_plugins.mmseg.apis.train import build_parser

    single = load_config(build_parser().parse_args([str(find_config('rooms')), '--tasks', 'depth']))
    assert single.work_dir.endswith('segnet-small_ew_rooms-96x128_depth')
    assert single.val_evaluator.metrics == [{'type': 'MTLDepthMetric'}]
    config = build_config(make_plan(Method('STL')), Cell(Method('STL'), 0, 'depth'))
    assert config.model == single.model
    assert config.optim_wrapper == single.optim_wrapper
    for part in ('train', 'val', 'test'):
        loader = f'{part}_dataloader'
        assert config[loader].dataset == single[loader].dataset
    for part in ('val', 'test'):
        assert config[f'{part}_evaluator'].metrics == single[f'{part}_evaluator'].metrics


def test_strategy_of_libmtl_has_its_own_options():
    pytest.importorskip(
        'go4align_plugins.libmtl', reason='LibMTL is not installed', exc_type=ImportError
    )
    assert weighting_options(Method.parse('CAGrad:calpha=0.4'), 3) == {
        'type': 'LibMTLOptimWrapper',
        'weighting': 'CAGrad',
        'weight_args': {'calpha': 0.4},
    }
    options = weighting_options(Method.parse('AGRM_UW:num_groups=2'), 3)
    assert options['weight_args'] == {'AGRM_num_groups': 2}
    with pytest.raises(ValueError, match='calpha'):
        weighting_options(Method.parse('CAGrad:colour=1'), 3)
    with pytest.raises(ValueError, match='XY'):
        weighting_options(Method('XY'), 3)


@pytest.mark.parametrize(
    ('method', 'values', 'message'),
    [
        ('GO4Align:num_groups=4', {}, 'Method GO4Align:num_groups=4: .*between 1 and 3'),
        ('GO4Align:colour=4', {}, 'GO4Align takes num_groups, .* Found `colour`'),
        ('EW', {'config': 'nowhere.py'}, 'nowhere'),
        ('EW', {'options': ('--work-dir', 'x')}, 'should leave out .*--work-dir'),
        ('EW', {'options': ('--epochs', '3')}, 'unrecognized arguments: --epochs 3'),
    ],
)
def test_what_cannot_be_is_refused_before_training(method, values, message):
    with pytest.raises(ValueError, match=message):
        check_methods(make_plan(Method.parse(method), **values))


def test_config_with_a_method_of_its_own_is_refused():
    config = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'
    with pytest.raises(ValueError, match=r'should weight all tasks equally.*GO4AlignHook'):
        build_config(make_plan(config=str(config)), Cell(EW, 0))


def test_config_without_default_hooks_gets_those_of_a_leaderboard(tmp_path):
    config = Config.fromfile(find_config('rooms'))
    config.pop('default_hooks')
    config.dump(tmp_path / 'config.py')
    hooks = build_config(make_plan(config=tmp_path / 'config.py'), Cell(EW, 0)).default_hooks
    kinds = [hook.type for hook in hooks.values()]
    assert kinds == ['RunFolderHook', 'EpochSeedHook', 'SafeCheckpointHook']


@pytest.mark.integration
def test_cells_train(tmp_path):
    rooms, out = (
        write_frames(tmp_path / 'rooms', {'train': 8, 'val': 2}, (64, 64)),
        tmp_path / 'out',
    )
    workers = [f'{part}_dataloader.num_workers=0' for part in ('train', 'val', 'test')]
    command = ['run', '--framework', 'mmseg', '--benchmark', 'rooms', '--out', str(out)]
    command += ['--data', str(rooms), '--tasks', 'depth', 'normal', '--workers', '2']
    command += ['--methods', 'GO4Align', 'PCGrad', '--cfg-options', 'train_cfg.max_epochs=1']
    assert main([*command, *workers]) == 0
    found = Store(out / RESULTS).entries()
    assert sorted(found) == ['GO4Align-0', 'PCGrad-0']
    for name, entry in found.items():
        assert entry.run.label == name.partition('-')[0]
        assert entry.run.tasks == ('depth', 'normal')
    assert main(['report', str(out)]) == 0
