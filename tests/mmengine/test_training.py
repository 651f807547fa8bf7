"""Trained by MMEngine's Runner: the log, resuming, checkpoints of plain wrappers, other hooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.runner import FlexibleRunner

from go4align_plugins.mmengine import GO4AlignHook, GO4AlignOptimWrapper

from .toys import assert_weights_follow, make_runner, read_log, train

PLAIN = {'type': 'OptimWrapper', 'optimizer': {'type': 'Adam', 'lr': 0.01}}
OURS = {**PLAIN, 'type': 'GO4AlignOptimWrapper'}
HOOKS = [{'type': 'GO4AlignHook', 'num_groups': 2}]
NAMES = [f'{kind}/{task}' for kind in ('weight', 'group') for task in ('near', 'far')]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A run of six iterations."""
    backends = [{'type': 'LocalVisBackend'}, {'type': 'TensorboardVisBackend'}]
    visualizer = {'type': 'Visualizer', 'vis_backends': backends}
    return train(tmp_path_factory.mktemp('whole') / 'run', visualizer=visualizer)


@pytest.fixture
def log(whole):
    return read_log(Path(whole.work_dir))


def go_on(before, work_dir, iteration=3, **changes):
    return train(work_dir, resume=True, load_from=f'{before}/iter_{iteration}.pth', **changes)


def test_logs_show_the_weights_of_the_logged_losses(log):
    assert len(log) == 6
    assert_weights_follow(log, {'near': ['near.loss_l1', 'near.loss_l2'], 'far': ['far.loss_l1']})


def test_text_and_tensorboard_show_weights_and_groups(whole):
    reader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    (path,) = Path(whole.work_dir).glob('*/*.log')
    (line,) = [line for line in path.read_text().splitlines() if 'Iter(train) [1/6]' in line]
    assert all(f'{name}: ' in line for name in NAMES)
    (folder,) = Path(whole.work_dir).glob('*/vis_data')
    events = reader.EventAccumulator(str(folder)).Reload()
    assert [len(events.Scalars(name)) for name in NAMES] == [6] * 4


def test_pattern_keeps_groups_whole_where_names_contain_loss(tmp_path):
    """As the wrapper's docstring advises: without it, a window's mean is logged."""
    processor = {'by_epoch': False, 'mean_pattern': r'^(train/)?(?!weight/|group/).*(loss|time)'}
    tasks = {'near_loss': 'near.*', 'far_loss': 'far.*'}
    train(tmp_path / 'run', log_processor=processor, optim_wrapper={**OURS, 'tasks': tasks})
    for line in read_log(tmp_path / 'run'):
        assert sorted(line[f'group/{name}'] for name in tasks) == [0, 1]


def test_resumed_run_equals_the_uninterrupted_one(tmp_path, whole, log):
    resumed = go_on(whole.work_dir, tmp_path / 'rest')
    assert read_log(tmp_path / 'rest') == log[3:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    state = resumed.optim_wrapper.weighting.state_dict()
    for name, value in whole.optim_wrapper.weighting.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_plain_wrapper_resumes_ours_and_ours_a_plain_one_with_a_warning(tmp_path, whole):
    model = train(tmp_path / 'ours', max_iters=2).model  # which was recorded
    go_on(whole.work_dir, tmp_path / 'plain', optim_wrapper=PLAIN, model=model)
    assert len(read_log(tmp_path / 'plain')) == 3
    go_on(tmp_path / 'plain', tmp_path / 'again', iteration=6, max_iters=9)
    (path,) = (tmp_path / 'again').glob('*/*.log')
    assert 'no state of the weighting' in path.read_text()
    assert 'weight/near' in read_log(tmp_path / 'again')[0]


@pytest.mark.integration
def test_compiled_train_step_gives_the_same(tmp_path, log):
    train(tmp_path / 'compiled', cfg={'compile': {'backend': 'eager'}})
    for one, other in zip(log, read_log(tmp_path / 'compiled')):
        assert other == pytest.approx(one, rel=1e-4)


def scheduled(optim_wrapper):
    """A schedule and two parameter groups, both of which hold on to the wrapper."""
    schedule = {'type': 'LinearLR', 'start_factor': 0.1, 'end': 6, 'by_epoch': False}
    paramwise = {'paramwise_cfg': {'custom_keys': {'trunk': {'lr_mult': 0.1}}}}
    return {'param_scheduler': [schedule], 'optim_wrapper': {**optim_wrapper, **paramwise}}


def test_hook_does_what_the_wrapper_does(tmp_path):
    train(tmp_path / 'wrapper', **scheduled(OURS))
    runner = train(tmp_path / 'hook', custom_hooks=HOOKS, **scheduled(PLAIN))
    assert type(runner.optim_wrapper) is GO4AlignOptimWrapper
    assert read_log(tmp_path / 'hook') == read_log(tmp_path / 'wrapper')
    go_on(tmp_path / 'hook', tmp_path / 'rest', custom_hooks=HOOKS, **scheduled(PLAIN))
    assert read_log(tmp_path / 'rest') == read_log(tmp_path / 'hook')[3:]


def test_hook_refuses_other_wrappers_and_keeps_out_of_runs_without_training(tmp_path):
    runner = make_runner(tmp_path / 'run', custom_hooks=HOOKS)
    config = runner.optim_wrapper
    GO4AlignHook(num_groups=2).before_run(runner)
    assert runner.optim_wrapper is config
    assert isinstance(config, dict)
    with pytest.raises(ValueError, match=r'for `GO4AlignHook`\. Found .*GO4AlignOptimWrapper'):
        runner.train()


@pytest.mark.parametrize(('wrapper', 'hooks'), [(OURS, None), (PLAIN, HOOKS)])
def test_flexible_runner_is_refused(tmp_path, wrapper, hooks):
    changes = {'optim_wrapper': wrapper, 'custom_hooks': hooks, 'default_hooks': None}
    runner = make_runner(tmp_path / 'run', FlexibleRunner, **changes)
    with pytest.raises(ValueError, match=r'`FlexibleRunner`.*are not supported'):
        runner.train()
