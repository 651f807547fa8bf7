"""A leaderboard's cells in MMSegmentation: their configs, and a training of each kind."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.cell import check_methods
from go4align_plugins.leaderboard.run.mmseg_config import build_config, find_config
from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.mmseg.apis.launch import EVALUATORS, LOADERS, load_config
from go4align_plugins.mmseg.apis.train import build_parser

from .. import ROOT

EW = Method('EW')
WEIGHTED = str(ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py')


def make_plan(*methods, **values):
    return Plan('mmseg', 'rooms', methods or (EW,), **values)


def test_config_is_the_small_one_with_the_cells_own():
    method = Method.parse('GO4Align:num_groups=3,step_size=1e-3')
    config = build_config(make_plan(data='somewhere'), Cell(method, 3))
    assert config.model.backbone.type == 'MTLSegNet'
    assert config.optim_wrapper.type == 'GO4AlignOptimWrapper'
    assert config.optim_wrapper.num_groups == 3
    assert config.optim_wrapper.step_size == 1e-3
    assert config.optim_wrapper.optimizer == {'type': 'Adam', 'lr': 1e-3}
    assert config.randomness.seed == 3
    assert {config[loader].dataset.data_root for loader in LOADERS} == {'somewhere'}


def test_single_task_is_that_of_the_training_tool():
    single = load_config(build_parser().parse_args([str(find_config('rooms')), '--tasks', 'depth']))
    assert single.work_dir.endswith('segnet-small_ew_rooms-96x128_depth')
    assert single.val_evaluator.metrics == [{'type': 'MTLDepthMetric'}]
    config = build_config(make_plan(Method('STL')), Cell(Method('STL'), 0, 'depth'))
    for part in ('model', 'optim_wrapper', *EVALUATORS):
        assert config[part] == single[part]
    for loader in LOADERS:
        assert config[loader].dataset == single[loader].dataset


@pytest.mark.parametrize(
    ('method', 'values', 'message'),
    [
        ('GO4Align:num_groups=4', {}, 'Method GO4Align:num_groups=4: .*between 1 and 3'),
        ('GO4Align:colour=4', {}, 'GO4Align takes num_groups, .* Found `colour`'),
        ('EW', {'config': 'nowhere.py'}, 'nowhere'),
        ('EW', {'config': WEIGHTED}, r'should weight all tasks equally.*GO4AlignHook'),
        ('EW', {'options': ('--work-dir', 'x')}, 'should leave out .*--work-dir'),
        ('EW', {'options': ('--epochs', '3')}, 'unrecognized arguments: --epochs 3'),
        ('CAGrad:colour=1', {}, 'calpha'),
        ('XY', {}, 'XY'),
    ],
)
def test_mistakes_are_named_before_training(method, values, message):
    with pytest.raises(ValueError, match=message):
        check_methods(make_plan(Method.parse(method), **values))


def test_config_without_default_hooks_gets_those_of_a_leaderboard(tmp_path):
    config = Config.fromfile(find_config('rooms'))
    config.pop('default_hooks')
    config.dump(tmp_path / 'config.py')
    hooks = build_config(make_plan(config=tmp_path / 'config.py'), Cell(EW, 0)).default_hooks
    kinds = [hook.type for hook in hooks.values()]
    assert kinds == ['RunFolderHook', 'EpochSeedHook', 'SafeCheckpointHook']


@pytest.mark.integration
def test_cells_train(frames64, tmp_path):
    out = tmp_path / 'out'
    command = ['run', '--framework', 'mmseg', '--benchmark', 'rooms', '--out', str(out)]
    command += ['--data', str(frames64), '--tasks', 'depth', 'normal', '--workers', '2']
    command += ['--methods', 'GO4Align', 'PCGrad', '--cfg-options', 'train_cfg.max_epochs=1']
    assert main([*command, *(f'{loader}.num_workers=0' for loader in LOADERS)]) == 0
    found = Store(out / RESULTS).entries()
    assert sorted(found) == ['GO4Align-0', 'PCGrad-0']
    for name, entry in found.items():
        assert entry.run.label == name.partition('-')[0]
        assert entry.run.tasks == ('depth', 'normal')
