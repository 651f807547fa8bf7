"""LibMTL's strategies in MMEngine: the updates of LibMTL's own Trainer, resumed or not."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip('mmengine', reason='MMEngine is not installed')
if importlib.util.find_spec('LibMTL') is None:
    pytest.skip('LibMTL is not installed', allow_module_level=True)

from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from wrappers import Scales, logged, moved
from wrappers import make_wrapper as make_go4align_wrapper

from go4align_plugins.libmtl import Trainer
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.mmengine import EpochSeedHook, LibMTLOptimWrapper
from go4align_plugins.mmengine.libmtl_model import complete_options, find_shared

LibMTL: Any = import_libmtl()

ROOT = Path(__file__).parents[2]
MAIN = os.environ.get('LIBMTL_MAIN')
TASKS = ('small', 'middle', 'large')
UNFIT = ('AbsWeighting', 'GradDrop', 'MoDo', 'SDMGrad')
STRATEGIES = [name for name in LibMTL.weighting.__all__ if name.removeprefix('AGRM_') not in UNFIT]
EPOCHS = 4


class SquaredError(LibMTL.loss.AbsLoss):
    def compute_loss(self, pred: Tensor, gt: Tensor) -> Tensor:
        return (pred - gt).square().mean()


class NoMetric(LibMTL.metrics.AbsMetric):
    def update_fun(self, pred: Tensor, gt: Tensor) -> None:
        pass

    def score_fun(self) -> list[float]:
        return [1.0]


class Frames(Dataset):
    """Not a multiple of the batch size: the last batch of an epoch is smaller."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(20, 5, generator=generator)
        scales = torch.tensor([0.1, 1.0, 10.0])
        self.targets = self.inputs @ torch.randn(5, 3, generator=generator) * scales

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        rows = self.targets[index].split(1)
        return self.inputs[index], dict(zip(TASKS, rows))


def make_loader() -> DataLoader:
    # A generator of its own: without one, each pass draws a number that strategies would draw.
    return DataLoader(Frames(), batch_size=8, generator=torch.Generator())


def make_encoder() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8))


class Regressor(BaseModel):
    """The same model as LibMTL's, as MMEngine has it."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({task: nn.Linear(8, 1) for task in TASKS})
        self.backbone = make_encoder()

    def forward(self, inputs: Tensor, targets: dict[str, Tensor], mode: str = 'tensor') -> Any:
        features = self.backbone(inputs)
        return {
            f'{task}.loss': (self.heads[task](features) - targets[task]).square().mean()
            for task in TASKS
        }


def seed() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  (the global one is what strategies draw from)
    torch.manual_seed(1)


def train_in_libmtl(weighting: str, weight_args: dict[str, Any]) -> dict[str, Tensor]:
    seed()
    model = Regressor()
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = Trainer(
            {
                task: {
                    'metrics': ['none'],
                    'metrics_fn': NoMetric(),
                    'loss_fn': SquaredError(),
                    'weight': [1],
                }
                for task in TASKS
            },
            weighting,
            'HPS',
            lambda: model.backbone,
            model.heads,
            rep_grad=False,
            multi_input=False,
            optim_param={'optim': 'adam', 'lr': 1e-2, 'weight_decay': 1e-3},
            scheduler_param={'scheduler': 'step', 'step_size': 2, 'gamma': 0.5},
            weight_args=weight_args,
            arch_args={},
            device='cpu',
        )
        seed()
        trainer.train(make_loader(), make_loader(), EPOCHS)
    own = {name: value for name, value in trainer.model.named_parameters() if '.' not in name}
    return {**model.state_dict(), **own}


class Seeder(EpochSeedHook):
    """Seeds the training alone: building the model draws numbers, too."""

    def before_train(self, runner: Any) -> None:
        seed()

    def before_train_epoch(self, runner: Any) -> None:
        pass


def make_runner(work_dir: Any, options: dict[str, Any], **changes: Any) -> Runner:
    seed()
    config: dict[str, Any] = {
        'model': Regressor(),
        'work_dir': str(work_dir),
        'train_dataloader': make_loader(),
        'train_cfg': {'by_epoch': True, 'max_epochs': EPOCHS},
        'optim_wrapper': {
            'type': 'LibMTLOptimWrapper',
            'optimizer': {'type': 'Adam', 'lr': 1e-2, 'weight_decay': 1e-3},
            **options,
        },
        'param_scheduler': [{'type': 'StepLR', 'step_size': 2, 'gamma': 0.5}],
        'custom_hooks': [Seeder()],
        'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
        'experiment_name': f'bridge_{work_dir.parent.name}_{work_dir.name}',
        'log_level': 'ERROR',
    }
    return Runner(**{**config, **changes})


def parameters(runner: Runner) -> dict[str, Tensor]:
    own = dict(runner.optim_wrapper.strategy.named_parameters())
    return {**runner.model.state_dict(), **own}


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


def resume(whole: Path, work_dir: Path, options: dict[str, Any], **changes: Any) -> Runner:
    """Go on after the second of the four epochs of a run."""
    load_from = str(whole / 'epoch_2.pth')
    return make_runner(work_dir, options, resume=True, load_from=load_from, **changes)


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


def make_wrapper(model: nn.Module, **options: Any) -> LibMTLOptimWrapper:
    wrapper = LibMTLOptimWrapper(torch.optim.SGD(model.scale.parameters(), lr=1.0), **options)
    wrapper.initialize_count_status(model, 0, 100)
    return wrapper


def test_first_step_by_hand(model):
    # UW's weights are 1 / (2 exp(s)), s = -1/2; and s moves by L / (2 exp(s)) - 1/2.
    weight = math.exp(0.5) / 2
    wrapper = make_wrapper(model, weighting='UW', shared='trunk')
    model.step(wrapper, {'a': 1, 'b': 3})
    assert wrapper.task_names == ('a', 'b')
    assert moved(model) == pytest.approx([weight, 3 * weight])
    assert wrapper.strategy.loss_scale.tolist() == pytest.approx([weight - 1, 3 * weight - 1])
    # LibMTL tells the weights of before the step.
    assert [logged(wrapper, f'weight/{name}') for name in 'ab'] == pytest.approx([weight] * 2)


def test_groups_are_published():
    ours, theirs = Scales(), Scales()
    wrapper = make_wrapper(theirs, weighting='GO4Align', shared='trunk')
    reference = make_go4align_wrapper(ours)
    for losses in ({'a': 1, 'b': 3}, {'a': 2, 'b': 0.5}):
        theirs.step(wrapper, losses)
        groups = [logged(wrapper, f'group/{name}') for name in 'ab']
        ours.step(reference, losses)
        assert groups == [logged(reference, f'group/{name}') for name in 'ab']
        assert moved(theirs) == moved(ours)
    assert wrapper.num_groups == 2


def test_strategy_of_equal_weights_is_the_plain_wrapper(tmp_path):
    clip = {'clip_grad': {'max_norm': 0.5}}
    make_runner(tmp_path / 'bridge', {'weighting': 'EW', **clip}).train()
    make_runner(tmp_path / 'plain', {'type': 'OptimWrapper', **clip}).train()
    paths = [tmp_path / name / f'epoch_{EPOCHS}.pth' for name in ('bridge', 'plain')]
    found, expected = (torch.load(path)['state_dict'] for path in paths)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-6)


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


@pytest.mark.skipif(
    not MAIN, reason="needs a checkout of LibMTL's GitHub main, its path in LIBMTL_MAIN"
)
@pytest.mark.integration
def test_strategies_of_libmtl_main():
    paths = [str(ROOT), str(MAIN), *filter(None, [os.environ.get('PYTHONPATH')])]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'not integration', __file__],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
