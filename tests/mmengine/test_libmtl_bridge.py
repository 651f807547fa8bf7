"""LibMTL's strategies in MMEngine: the updates of LibMTL's own Trainer, resumed or not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from bridge import (
    EPOCHS,
    STRATEGIES,
    Seeder,
    make_runner,
    parameters,
    resume,
    train_in_libmtl,
)

from go4align_plugins.mmengine import LibMTLOptimWrapper
from go4align_plugins.mmengine.libmtl_model import complete_options

ROOT = Path(__file__).parents[2]
MAIN = os.environ.get('LIBMTL_MAIN')
RULES = Path(__file__).with_name('test_libmtl_bridge_rules.py')


@pytest.mark.parametrize('weighting', STRATEGIES)
def test_updates_are_those_of_libmtl(tmp_path, weighting):
    weight_args = complete_options(weighting, {})
    try:
        expected = train_in_libmtl(weighting, weight_args)
    except RuntimeError as error:
        if 'now removed' not in str(error):
            raise
        pytest.skip('this torch has removed what the strategy calls')
    runner = make_runner(tmp_path / 'run', {'weighting': weighting})
    runner.train()
    found = parameters(runner)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-6, msg=name)


RESUMED = ('DWA', 'UW', 'PCGrad', 'CAGrad', 'GradVac', 'GradNorm', 'GO4Align', 'FAMO', 'MoCo')


@pytest.mark.parametrize('weighting', RESUMED)
def test_resumed_run_equals_the_uninterrupted_one(tmp_path, weighting):
    if weighting not in STRATEGIES:
        pytest.skip('not in this release of LibMTL')
    options = {'weighting': weighting}
    hooks = {'custom_hooks': [{'type': 'EpochSeedHook'}], 'randomness': {'seed': 0}}
    whole = make_runner(tmp_path / 'whole', options, **hooks)
    whole.train()
    rest = resume(tmp_path / 'whole', tmp_path / 'rest', options, **hooks)
    rest.train()
    assert rest.iter == whole.iter
    for name, value in parameters(whole).items():
        assert torch.equal(parameters(rest)[name], value), name
    history = whole.optim_wrapper.strategy.train_loss_buffer
    np.testing.assert_array_equal(rest.optim_wrapper.strategy.train_loss_buffer, history)
    assert (history[:, : EPOCHS - 1] > 0).all()


def test_nash_mtl_refuses_to_resume(tmp_path):
    if 'Nash_MTL' not in STRATEGIES:
        pytest.skip('not in this release of LibMTL')
    options = {'weighting': 'Nash_MTL'}
    make_runner(tmp_path / 'whole', options).train()
    with pytest.raises(ValueError, match='cannot be resumed: LibMTL keeps a part of its state'):
        resume(tmp_path / 'whole', tmp_path / 'rest', options).train()


def test_checkpoints_of_other_weightings(tmp_path):
    """Of a plain wrapper, to a plain wrapper; not of another strategy, nor of other tasks."""
    make_runner(tmp_path / 'uw', {'weighting': 'UW'}).train()
    plain = {'type': 'OptimWrapper'}
    resume(tmp_path / 'uw', tmp_path / 'plain', plain).train()
    load_from = str(tmp_path / 'plain' / 'epoch_3.pth')
    make_runner(tmp_path / 'again', {'weighting': 'UW'}, resume=True, load_from=load_from).train()
    with pytest.raises(ValueError, match=r'of its checkpoint, `UW`\. Found `DWA`'):
        resume(tmp_path / 'uw', tmp_path / 'dwa', {'weighting': 'DWA'}).train()
    other = {'weighting': 'UW', 'tasks': {'large': 'l*', 'rest': ['s*', 'm*']}}
    with pytest.raises(ValueError, match='should name the tasks of the checkpoint'):
        resume(tmp_path / 'uw', tmp_path / 'tasks', other).train()


def test_strategy_of_equal_weights_is_the_plain_wrapper(tmp_path):
    clip = {'clip_grad': {'max_norm': 0.5}}
    make_runner(tmp_path / 'bridge', {'weighting': 'EW', **clip}).train()
    make_runner(tmp_path / 'plain', {'type': 'OptimWrapper', **clip}).train()
    paths = [tmp_path / name / f'epoch_{EPOCHS}.pth' for name in ('bridge', 'plain')]
    found, expected = (torch.load(path)['state_dict'] for path in paths)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-6)


BY_ITERATIONS = {
    'train_cfg': {'by_epoch': False, 'max_iters': 3 * EPOCHS},
    'param_scheduler': [{'type': 'StepLR', 'step_size': 6, 'gamma': 0.5, 'by_epoch': False}],
    'default_hooks': {'checkpoint': None},
    'log_processor': {'by_epoch': False},
}


@pytest.mark.integration
def test_hook_does_what_the_wrapper_does_in_passes_over_the_data(tmp_path):
    options = {'weighting': 'DWA', 'weight_args': {'T': 0.5}}
    expected = make_runner(tmp_path / 'wrapper', options)
    expected.train()
    for name, changes in (('epochs', {}), ('iterations', BY_ITERATIONS)):
        hooks = [Seeder(), {'type': 'LibMTLHook', **options}]
        plain = {'type': 'OptimWrapper'}
        runner = make_runner(tmp_path / name, plain, **{**changes, 'custom_hooks': hooks})
        runner.train()
        assert type(runner.optim_wrapper) is LibMTLOptimWrapper
        assert runner.optim_wrapper.strategy.epoch == EPOCHS - 1
        for key, value in expected.model.state_dict().items():
            torch.testing.assert_close(runner.model.state_dict()[key], value, rtol=0, atol=1e-6)


@pytest.mark.skipif(
    not MAIN, reason="needs a checkout of LibMTL's GitHub main, its path in LIBMTL_MAIN"
)
@pytest.mark.integration
def test_strategies_of_libmtl_main():
    paths = [str(ROOT), str(MAIN), *filter(None, [os.environ.get('PYTHONPATH')])]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'not integration', __file__, RULES],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
