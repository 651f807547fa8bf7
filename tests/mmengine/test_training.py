"""Trained by MMEngine's Runner: the log, resuming, checkpoints of plain wrappers, other hooks."""

from __future__ import annotations

import pytest
import torch
from mmengine.runner import FlexibleRunner
from toys import ToyModel, make_loader, make_runner, read_log

from go4align_plugins import GO4Align
from go4align_plugins.mmengine import GO4AlignHook, GO4AlignOptimWrapper

PLAIN = {'type': 'OptimWrapper', 'optimizer': {'type': 'Adam', 'lr': 0.01}}
NAMES = [f'{kind}/{task}' for kind in ('weight', 'group') for task in ('near', 'far')]


def go_on(before, work_dir, iteration=3, **changes):
    load_from = str(before / f'iter_{iteration}.pth')
    runner = make_runner(work_dir, resume=True, load_from=load_from, **changes)
    runner.train()
    return runner


def test_logs_show_the_weights_of_the_logged_losses(tmp_path):
    make_runner(tmp_path / 'run').train()
    weighting = GO4Align(2)
    log = read_log(tmp_path / 'run')
    assert len(log) == 6
    for line in log:
        losses = torch.tensor([line['near.loss_l1'] + line['near.loss_l2'], line['far.loss_l1']])
        weights = weighting(losses)
        logged = [line['weight/near'], line['weight/far']]
        torch.testing.assert_close(torch.tensor(logged), weights, rtol=1e-6, atol=0)
        assert [line['group/near'], line['group/far']] == weighting.groups.tolist()
        assert line['loss'] == pytest.approx(losses.sum().item(), rel=1e-6)
    (path,) = (tmp_path / 'run').glob('*/*.log')
    (line,) = [line for line in path.read_text().splitlines() if 'Iter(train) [1/6]' in line]
    assert all(f'{name}: ' in line for name in NAMES)


def test_tensorboard_shows_weights_and_groups(tmp_path):
    reader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    visualizer = {'type': 'Visualizer', 'vis_backends': [{'type': 'TensorboardVisBackend'}]}
    make_runner(tmp_path / 'run', visualizer=visualizer).train()
    (folder,) = (tmp_path / 'run').glob('*/vis_data')
    events = reader.EventAccumulator(str(folder)).Reload()
    assert [len(events.Scalars(name)) for name in NAMES] == [6] * 4


def test_pattern_keeps_groups_whole_where_names_contain_loss(tmp_path):
    """As the wrapper's docstring advises: without it, a window's mean is logged."""
    processor = {'by_epoch': False, 'mean_pattern': r'^(train/)?(?!weight/|group/).*(loss|time)'}
    tasks = {'near_loss': 'near.*', 'far_loss': 'far.*'}
    wrapper = {**PLAIN, 'type': 'GO4AlignOptimWrapper', 'tasks': tasks}
    make_runner(tmp_path / 'run', log_processor=processor, optim_wrapper=wrapper).train()
    for line in read_log(tmp_path / 'run'):
        assert sorted(line[f'group/{name}'] for name in tasks) == [0, 1]


def test_resumed_run_equals_the_uninterrupted_one(tmp_path):
    whole = make_runner(tmp_path / 'whole')
    whole.train()
    make_runner(tmp_path / 'part', max_iters=3).train()
    resumed = go_on(tmp_path / 'part', tmp_path / 'rest')
    assert read_log(tmp_path / 'rest') == read_log(tmp_path / 'whole')[3:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    for name, value in whole.optim_wrapper.weighting.state_dict().items():
        assert torch.equal(value, resumed.optim_wrapper.weighting.state_dict()[name]), name


def test_plain_wrapper_resumes_ours_and_ours_a_plain_one_with_a_warning(tmp_path):
    make_runner(tmp_path / 'ours', max_iters=3).train()
    go_on(tmp_path / 'ours', tmp_path / 'plain', optim_wrapper=PLAIN)
    assert len(read_log(tmp_path / 'plain')) == 3
    go_on(tmp_path / 'plain', tmp_path / 'again', iteration=6, max_iters=9)
    (path,) = (tmp_path / 'again').glob('*/*.log')
    assert 'no state of the weighting' in path.read_text()
    assert 'weight/near' in read_log(tmp_path / 'again')[0]


def test_model_trains_on_with_a_plain_wrapper(tmp_path):
    model = ToyModel()
    make_runner(tmp_path / 'ours', max_iters=2, model=model).train()
    make_runner(tmp_path / 'plain', max_iters=2, model=model, optim_wrapper=PLAIN).train()
    assert len(read_log(tmp_path / 'plain')) == 2


@pytest.mark.integration
def test_compiled_train_step_gives_the_same(tmp_path):
    make_runner(tmp_path / 'plain').train()
    make_runner(tmp_path / 'compiled', cfg={'compile': {'backend': 'eager'}}).train()
    for one, other in zip(read_log(tmp_path / 'plain'), read_log(tmp_path / 'compiled')):
        assert other == pytest.approx(one, rel=1e-4)


def scheduled(wrapper_type):
    """A schedule and two parameter groups, both of which hold on to the wrapper."""
    return {
        'param_scheduler': [{'type': 'LinearLR', 'start_factor': 0.1, 'end': 6, 'by_epoch': False}],
        'optim_wrapper': {
            **PLAIN,
            'type': wrapper_type,
            'paramwise_cfg': {'custom_keys': {'trunk': {'lr_mult': 0.1}}},
        },
    }


def test_hook_does_what_the_wrapper_does(tmp_path):
    make_runner(tmp_path / 'wrapper', **scheduled('GO4AlignOptimWrapper')).train()
    hooks = [{'type': 'GO4AlignHook', 'num_groups': 2}]
    runner = make_runner(tmp_path / 'hook', custom_hooks=hooks, **scheduled('OptimWrapper'))
    runner.train()
    assert type(runner.optim_wrapper) is GO4AlignOptimWrapper
    assert read_log(tmp_path / 'hook') == read_log(tmp_path / 'wrapper')
    go_on(tmp_path / 'hook', tmp_path / 'rest', custom_hooks=hooks, **scheduled('OptimWrapper'))
    assert read_log(tmp_path / 'rest') == read_log(tmp_path / 'hook')[3:]


def test_hook_refuses_other_wrappers(tmp_path):
    hooks = [{'type': 'GO4AlignHook'}]
    runner = make_runner(tmp_path / 'run', custom_hooks=hooks, **scheduled('GO4AlignOptimWrapper'))
    with pytest.raises(ValueError, match=r'for `GO4AlignHook`\. Found `GO4AlignOptimWrapper`'):
        runner.train()


def test_hook_keeps_out_of_runs_without_training(tmp_path):
    hook = GO4AlignHook(num_groups=2)
    runner = make_runner(tmp_path / 'run')
    config = runner.optim_wrapper
    hook.before_run(runner)
    assert runner.optim_wrapper is config
    assert isinstance(config, dict)


@pytest.mark.parametrize('wrapper_type', ['GO4AlignOptimWrapper', 'OptimWrapper'])
def test_flexible_runner_is_refused(tmp_path, wrapper_type):
    hooks = [{'type': 'GO4AlignHook'}] if wrapper_type == 'OptimWrapper' else None
    runner = FlexibleRunner(
        model=ToyModel(),
        work_dir=str(tmp_path),
        train_dataloader=make_loader(),
        train_cfg={'by_epoch': False, 'max_iters': 2},
        optim_wrapper={**PLAIN, 'type': wrapper_type},
        custom_hooks=hooks,
        experiment_name=f'flexible_{tmp_path.name}',
    )
    with pytest.raises(ValueError, match=r'`FlexibleRunner`.*are not supported'):
        runner.train()
