"""LibMTL's strategies in MMEngine: LibMTL's own updates, resumed or not; and the refusals."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from go4align_plugins.mmengine import GO4AlignOptimWrapper, LibMTLOptimWrapper
from go4align_plugins.mmengine.libmtl_bridge import find_shared, find_strategy

from .. import ROOT
from ..test_imports import run
from .bridge import (
    EPOCHS,
    STRATEGIES,
    TASKS,
    Regressor,
    parameters,
    resume,
    train,
    train_in_libmtl,
)
from .toys import Scales, logged, make_wrapper, moved

MAIN = os.environ.get('LIBMTL_MAIN')
PLAIN = {'type': 'OptimWrapper'}


def assert_same(found, expected, atol=1e-6):
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=atol, msg=name)


@pytest.mark.filterwarnings('ignore::RuntimeWarning')  # LibMTL compares with an accuracy of 0
@pytest.mark.parametrize('weighting', STRATEGIES)
def test_updates_are_those_of_libmtl(tmp_path, weighting):
    try:
        expected = train_in_libmtl(weighting, find_strategy(weighting, {})[1])
    except RuntimeError as error:
        if 'now removed' not in str(error):
            raise
        pytest.skip('this torch has removed what the strategy calls')
    found = parameters(train(tmp_path / 'run', {'weighting': weighting}))
    assert found.keys() == expected.keys()
    assert_same(found, expected)


@pytest.mark.parametrize(
    'weighting', sorted({'DWA', 'UW', 'GradVac', 'GradNorm', 'GO4Align', 'FAMO'} & {*STRATEGIES})
)
def test_resumed_run_equals_the_uninterrupted_one(tmp_path, weighting):
    options = {'weighting': weighting}
    hooks = {'custom_hooks': [{'type': 'EpochSeedHook'}], 'randomness': {'seed': 0}}
    whole = train(tmp_path / 'whole', options, **hooks)
    rest = resume(tmp_path / 'whole/epoch_2.pth', tmp_path / 'rest', options, **hooks)
    assert rest.iter == whole.iter
    assert_same(parameters(rest), parameters(whole), atol=0)
    history = whole.optim_wrapper.strategy.train_loss_buffer
    np.testing.assert_array_equal(rest.optim_wrapper.strategy.train_loss_buffer, history)
    assert (history[:, : EPOCHS - 1] > 0).all()


@pytest.mark.skipif('Nash_MTL' not in STRATEGIES, reason='not in this release of LibMTL')
def test_nash_mtl_refuses_to_resume(tmp_path):
    options = {'weighting': 'Nash_MTL'}
    train(tmp_path / 'whole', options)
    with pytest.raises(ValueError, match='cannot be resumed: LibMTL keeps a part of its state'):
        resume(tmp_path / 'whole/epoch_2.pth', tmp_path / 'rest', options)


def test_checkpoints_of_other_weightings_and_parameters_of_its_own(tmp_path):
    """Of a plain wrapper, to a plain wrapper; not of another strategy, nor of other tasks."""
    paramwise = {'paramwise_cfg': {'custom_keys': {'backbone': {'lr_mult': 0.1}}}}
    runner = train(tmp_path / 'uw', {'weighting': 'UW', **paramwise})
    # They follow the base settings: with a group for each part of the model, and a schedule that
    # was made before.
    *groups, own = runner.optim_wrapper.optimizer.param_groups
    assert own['params'] == list(runner.optim_wrapper.strategy.parameters())
    assert own['lr'] == pytest.approx(1e-2 / 2)
    assert sorted({group['lr'] for group in groups}) == pytest.approx([5e-4, 5e-3])
    assert runner.optim_wrapper.get_lr()['base_lr'] == [own['lr']]

    checkpoint = tmp_path / 'uw/epoch_2.pth'
    resume(checkpoint, tmp_path / 'plain', {**PLAIN, **paramwise})
    options = {'weighting': 'UW', **paramwise}
    resume(tmp_path / 'plain/epoch_3.pth', tmp_path / 'again', options)
    with pytest.raises(ValueError, match=r'of the checkpoint, `UW`\. Found `weighting = .DWA'):
        resume(checkpoint, tmp_path / 'dwa', {'weighting': 'DWA', **paramwise})
    options['tasks'] = {'large': 'l*', 'rest': ['s*', 'm*']}
    with pytest.raises(ValueError, match='should name the tasks of the checkpoint'):
        resume(checkpoint, tmp_path / 'tasks', options)


def test_strategy_of_equal_weights_is_the_plain_wrapper(tmp_path):
    clip = {'clip_grad': {'max_norm': 0.5}}
    found = parameters(train(tmp_path / 'bridge', {'weighting': 'EW', **clip}))
    assert_same(found, parameters(train(tmp_path / 'plain', {**PLAIN, **clip})))


BY_ITERATIONS = {
    'train_cfg': {'by_epoch': False, 'max_iters': 3 * EPOCHS},
    'param_scheduler': [{'type': 'StepLR', 'step_size': 6, 'gamma': 0.5, 'by_epoch': False}],
    'default_hooks': {'checkpoint': None},
    'log_processor': {'by_epoch': False},
}


@pytest.mark.integration
def test_hook_does_what_the_wrapper_does_in_passes_over_the_data(tmp_path):
    options = {'weighting': 'DWA', 'weight_args': {'T': 0.5}}
    expected = parameters(train(tmp_path / 'wrapper', options))
    for name, changes in (('epochs', {}), ('iterations', BY_ITERATIONS)):
        hooks = [{'type': 'LibMTLHook', **options}]
        runner = train(tmp_path / name, PLAIN, **{**changes, 'custom_hooks': hooks})
        assert type(runner.optim_wrapper) is LibMTLOptimWrapper
        assert runner.optim_wrapper.strategy.epoch == EPOCHS - 1
        assert_same(parameters(runner), expected)


STRATEGY = {'weighting': 'GO4Align', 'shared': 'trunk'}


def test_first_step_by_hand_and_a_second_training(model):
    # UW's weights are 1 / (2 exp(s)), s = -1/2; and s moves by L / (2 exp(s)) - 1/2.
    weight = math.exp(0.5) / 2
    wrapper = make_wrapper(model, LibMTLOptimWrapper, weighting='UW', shared='trunk')
    model.step(wrapper, {'a': 1, 'b': 3})
    assert wrapper.task_names == ('a', 'b')
    assert moved(model) == pytest.approx([weight, 3 * weight])
    strategy = wrapper.strategy
    assert strategy.loss_scale.tolist() == pytest.approx([weight - 1, 3 * weight - 1])
    # LibMTL tells the weights of before the step.
    assert logged(wrapper, 'weight') == pytest.approx([weight] * 2)
    wrapper.initialize_count_status(model, 0, 100)
    assert wrapper.strategy is strategy
    assert len(wrapper.optimizer.param_groups) == 2
    state = wrapper.state_dict()
    del state['weighting']['attributes']
    with pytest.raises(ValueError, match=r"should hold the state of `UW`.*Found: 'attributes'"):
        wrapper.load_state_dict(state)


def test_groups_are_published():
    results = []
    for kind, options in ((LibMTLOptimWrapper, STRATEGY), (GO4AlignOptimWrapper, {})):
        model = Scales()
        wrapper = make_wrapper(model, kind, **options)
        for losses in ({'a': 1, 'b': 3}, {'a': 2, 'b': 0.5}):
            model.step(wrapper, losses)
            results.append((logged(wrapper, 'group'), moved(model), wrapper.num_groups))
    assert results[:2] == results[2:]


def test_shared_parameters():
    model = Regressor()
    model.neck = nn.Linear(8, 8)
    model.neck.bias.requires_grad = False
    names = {value: name for name, value in model.named_parameters()}

    def shared(patterns=None):
        """The names, layer by layer, as GradVac takes them."""
        return [[names[value] for value in layer] for layer in find_shared(model, patterns)]

    backbone = [[f'backbone.{layer}.{kind}' for kind in ('weight', 'bias')] for layer in (0, 2)]
    heads = [[f'heads.{task}.bias'] for task in TASKS]
    assert shared() == [*backbone, ['neck.weight']]
    assert shared(['backbone.0', 'heads.*.bias']) == [*heads, backbone[0]]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'weighting': 'Best'}, 'should be one of .*CAGrad.*Found .*Best'),
        ({'weighting': 'GradDrop'}, r"without gradients of .*rep_grad.*Found .* 'GradDrop'"),
        ({'weighting': 'CAGrad', 'weight_args': {'alpha': 1}}, "calpha, rescale for .* {'alpha'"),
        ({'weighting': 'EW', 'weight_args': {'T': 1}}, 'should hold nothing for EW'),
        ({'accumulative_counts': 2}, '`accumulative_counts` should be 1'),
        ({'epoch_length': 0}, '`epoch_length` should be at least 1'),
        ({}, r'`shared` should .* of .*`trunk`, .* Found `shared = None'),
        ({'shared': ['trunk', 'necks']}, 'patterns that match trained parameters.*necks'),
        ({**STRATEGY, 'weight_args': {'GO4Align_num_groups': 3}}, '`num_groups` should be between'),
    ],
)
def test_wrong_options_are_refused_before_training(model, options, message):
    tasks = {'a': 'a*', 'b': 'b*'}
    with pytest.raises(ValueError, match=message):
        make_wrapper(model, LibMTLOptimWrapper, tasks=tasks, **options)


@pytest.mark.usefixtures('on_accelerator')
def test_hook_refuses_mixed_precision(tmp_path):
    hooks = [{'type': 'LibMTLHook', 'weighting': 'CAGrad'}]
    with pytest.raises(ValueError, match=r'`OptimWrapper` for .* Found .*AmpOptimWrapper'):
        train(tmp_path / 'run', {'type': 'AmpOptimWrapper'}, custom_hooks=hooks)


def test_distributed_model_is_refused(tmp_path, model):
    wrapper = make_wrapper(model, LibMTLOptimWrapper, shared='trunk')
    store = f'file://{tmp_path / "store"}'
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    wrapped = MMDistributedDataParallel(model)
    torch.distributed.destroy_process_group()
    with pytest.raises(ValueError, match='in one process, on a bare model'):
        wrapper.initialize_count_status(wrapped, 0, 10)


USE = """
import torch
from go4align_plugins.mmengine import LibMTLOptimWrapper
print('imported')
LibMTLOptimWrapper(torch.optim.SGD([torch.ones((), requires_grad=True)], lr=1))
"""


@pytest.mark.integration
def test_needed_extra_is_named_when_it_is_used():
    done = run(USE, {'LibMTL'})
    assert done.stdout == 'imported\n'
    assert 'pip install "go4align-plugins[libmtl]"' in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not MAIN, reason="needs LibMTL's GitHub main, its path in LIBMTL_MAIN")
@pytest.mark.integration
def test_strategies_of_libmtl_main():
    paths = [str(ROOT), str(MAIN), *filter(None, [os.environ.get('PYTHONPATH')])]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'not integration', __file__],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
