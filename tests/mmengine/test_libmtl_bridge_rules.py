"""The bridge to LibMTL's strategies: a step by hand, and what is refused before training."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from bridge import TASKS, Regressor, make_runner
from mmengine.model import MMDistributedDataParallel
from torch import nn
from toys import Scales, logged, moved
from toys import make_wrapper as make_any_wrapper

from go4align_plugins.mmengine import LibMTLOptimWrapper
from go4align_plugins.mmengine.libmtl_model import find_shared

ROOT = Path(__file__).parents[2]


def make_wrapper(model: nn.Module, **options: Any) -> LibMTLOptimWrapper:
    return make_any_wrapper(model, LibMTLOptimWrapper, **options)


def test_first_step_by_hand(model):
    # UW's weights are 1 / (2 exp(s)), s = -1/2; and s moves by L / (2 exp(s)) - 1/2.
    weight = math.exp(0.5) / 2
    wrapper = make_wrapper(model, weighting='UW', shared='trunk')
    model.step(wrapper, {'a': 1, 'b': 3})
    assert wrapper.task_names == ('a', 'b')
    assert moved(model) == pytest.approx([weight, 3 * weight])
    assert wrapper.strategy.loss_scale.tolist() == pytest.approx([weight - 1, 3 * weight - 1])
    # LibMTL tells the weights of before the step.
    assert logged(wrapper, 'weight') == pytest.approx([weight] * 2)


def test_a_second_training_goes_on_with_the_strategy(model):
    wrapper = make_wrapper(model, weighting='UW', shared='trunk')
    model.step(wrapper, {'a': 1, 'b': 3})
    strategy = wrapper.strategy
    wrapper.initialize_count_status(model, 0, 100)
    assert wrapper.strategy is strategy
    assert len(wrapper.optimizer.param_groups) == 2


def test_damaged_state_is_named(model):
    wrapper = make_wrapper(model, weighting='UW', shared='trunk')
    model.step(wrapper, {'a': 1, 'b': 3})
    state = wrapper.state_dict()
    del state['weighting']['attributes']
    with pytest.raises(ValueError, match=r"should hold the state of `UW`.*Found: 'attributes'"):
        wrapper.load_state_dict(state)


def test_groups_are_published():
    ours, theirs = Scales(), Scales()
    wrapper = make_wrapper(theirs, weighting='GO4Align', shared='trunk')
    reference = make_any_wrapper(ours)
    for losses in ({'a': 1, 'b': 3}, {'a': 2, 'b': 0.5}):
        theirs.step(wrapper, losses)
        groups = logged(wrapper, 'group')
        ours.step(reference, losses)
        assert groups == logged(reference, 'group')
        assert moved(theirs) == moved(ours)
    assert wrapper.num_groups == 2


def test_own_parameters_follow_the_base_settings(tmp_path):
    """With a group for each part of the model, and a schedule that was made before."""
    paramwise = {'paramwise_cfg': {'custom_keys': {'backbone': {'lr_mult': 0.1}}}}
    runner = make_runner(tmp_path / 'run', {'weighting': 'UW', **paramwise})
    runner.train()
    *groups, own = runner.optim_wrapper.optimizer.param_groups
    assert own['params'] == list(runner.optim_wrapper.strategy.parameters())
    assert own['lr'] == pytest.approx(1e-2 / 2)
    assert sorted({group['lr'] for group in groups}) == pytest.approx([5e-4, 5e-3])
    assert runner.optim_wrapper.get_lr()['base_lr'] == [own['lr']]


def test_shared_parameters():
    model = Regressor()
    model.neck = nn.Linear(8, 8)
    model.neck.bias.requires_grad = False
    names = {value: name for name, value in model.named_parameters()}

    def shared(patterns: Any = None) -> list[str]:
        return [names[value] for value in find_shared(model, patterns).parameters()]

    backbone = [f'backbone.{layer}.{kind}' for layer in (0, 2) for kind in ('weight', 'bias')]
    assert shared() == [*backbone, 'neck.weight']
    assert shared(['backbone.0', 'heads.*.bias']) == [
        *(f'heads.{task}.bias' for task in TASKS),
        *backbone[:2],
    ]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'weighting': 'Best'}, 'should be one of .*CAGrad.*Found `Best`'),
        ({'weighting': 'GradDrop'}, r'Found `GradDrop`, which needs gradients of .*rep_grad'),
        ({'weighting': 'CAGrad', 'weight_args': {'alpha': 1}}, 'calpha, rescale for .* `alpha`'),
        ({'weighting': 'EW', 'weight_args': {'T': 1}}, 'should hold nothing for EW'),
        ({'accumulative_counts': 2}, '`accumulative_counts` should be 1'),
        ({'epoch_length': 0}, '`epoch_length` should be at least 1'),
        ({}, r'`shared` should name .* parts .*`trunk`, `near`'),
        ({'shared': ['trunk', 'necks']}, 'Found `necks`, which matches none'),
        ({'shared': 'trunk', 'weighting': 'GO4Align', 'tasks': {'a': 'a*', 'b': 'b*'},
          'weight_args': {'GO4Align_num_groups': 3}}, '`num_groups` should be between'),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_before_training(model, options, message):
    with pytest.raises(ValueError, match=message):
        make_wrapper(model, **options)


@pytest.mark.usefixtures('on_accelerator')
def test_hook_refuses_mixed_precision(tmp_path):
    hooks = [{'type': 'LibMTLHook', 'weighting': 'CAGrad'}]
    runner = make_runner(tmp_path / 'run', {'type': 'AmpOptimWrapper'}, custom_hooks=hooks)
    with pytest.raises(ValueError, match=r'mixed precision scales\. Found `AmpOptimWrapper`'):
        runner.train()


def test_distributed_model_is_refused(tmp_path, model):
    store = f'file://{tmp_path / "store"}'
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    try:
        wrapped = MMDistributedDataParallel(model)
        wrapper = LibMTLOptimWrapper(torch.optim.SGD(model.parameters(), lr=1), shared='trunk')
        with pytest.raises(ValueError, match='in one process, on a bare model'):
            wrapper.initialize_count_status(wrapped, 0, 10)
    finally:
        torch.distributed.destroy_process_group()


WITHOUT_LIBMTL = """
import sys
sys.modules['LibMTL'] = None
import torch
from go4align_plugins.mmengine import LibMTLOptimWrapper
print('imported')
LibMTLOptimWrapper(torch.optim.SGD([torch.ones((), requires_grad=True)], lr=1))
"""


@pytest.mark.integration
def test_needed_extra_is_named_when_it_is_used():
    done = subprocess.run(
        [sys.executable, '-c', WITHOUT_LIBMTL], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == 'imported\n'
    assert done.returncode == 1
    assert 'pip install "go4align-plugins[libmtl]"' in done.stderr.splitlines()[-1]
