"""A training in MMEngine leaves the run folder that LibMTL's side leaves, killed or not."""

from __future__ import annotations

import json
import shutil

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.run.runs import load_run

from .frames import write_frames
from .toys import MODEL

pytestmark = pytest.mark.integration

TASKS = get_benchmark('rooms').tasks
COLUMNS = [(task.name, metric) for task in TASKS for metric in task.metrics]
BASELINE = {
    task.name: {metric.name: 2.0 if metric.unit == 'degrees' else 0.5 for metric in task.metrics}
    for task in TASKS
}
SGD = {'type': 'SGD', 'lr': 0.01}
GO4ALIGN = {'type': 'GO4AlignOptimWrapper', 'optimizer': SGD, 'step_size': 0.1}
PLAIN = {'type': 'OptimWrapper', 'optimizer': SGD}
GO4ALIGN_HOOK = {'type': 'go4align_plugins.mmengine.GO4AlignHook', 'step_size': 0.1}
CAGRAD = {'calpha': 0.4, 'rescale': 1}
CAGRAD_HOOK = {'type': 'LibMTLHook', 'weighting': 'CAGrad', 'weight_args': CAGRAD}


@HOOKS.register_module()
class Killer(Hook):
    """Ends the process, as it were, at a moment after so many iterations."""

    priority = 'VERY_HIGH'

    def __init__(self, moment, after):
        self.after = after
        setattr(self, moment, self.end)

    def end(self, runner, **_):
        if runner.iter == self.after:
            raise KeyboardInterrupt


@pytest.fixture(scope='module')
def rooms(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp('rooms'), {'train': 6, 'val': 3}, (32, 48))


def make_config(rooms, work_dir, by_epoch=True, **changes):
    def loader(split, sampler):
        augmented = by_epoch and split == 'train'
        steps = ['LoadMTLFrame', *(['MTLScaleCrop'] if augmented else []), 'PackMTLInputs']
        return {
            'batch_size': 2,
            'num_workers': 2 if augmented else 0,
            'worker_init_fn': {'type': 'seed_worker'},
            'sampler': {'type': sampler, 'shuffle': split == 'train'},
            'dataset': {
                'type': 'MTLNYUv2Dataset', 'data_root': str(rooms), 'split': split,
                'benchmark': 'rooms', 'pipeline': [{'type': step} for step in steps],
            },
        }  # fmt: skip

    sampler = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
    loop = {'max_epochs': 3} if by_epoch else {'max_iters': 10, 'val_interval': 4}
    return Config(
        {
            'default_scope': 'mmseg',
            'work_dir': str(work_dir),
            'experiment_name': str(work_dir).replace('/', '-') + str(len(changes)),
            'model': {**MODEL, 'num_classes': 13},
            'train_dataloader': loader('train', sampler),
            'val_dataloader': loader('val', 'DefaultSampler'),
            'val_evaluator': {
                'type': 'MTLDeltaM', 'baseline': BASELINE,
                'metrics': [{'type': 'MTLMetric', 'task': task.name} for task in TASKS],
            },
            'train_cfg': {'by_epoch': by_epoch, **loop},
            'val_cfg': {},
            'optim_wrapper': GO4ALIGN,
            'default_hooks': {
                'checkpoint': {'type': 'CheckpointHook', 'interval': 1 if by_epoch else 4,
                               'by_epoch': by_epoch, 'save_best': 'delta_m', 'rule': 'less'},
                'logger': {'type': 'LoggerHook', 'interval': 1, 'log_metric_by_epoch': by_epoch},
                'run_folder': {'type': 'RunFolderHook', 'protocol': 'tiny'},
                'epoch_seed': {'type': 'EpochSeedHook'},
            },
            'log_processor': {'by_epoch': by_epoch},
            'randomness': {'seed': 5},
            **changes,
        }
    )  # fmt: skip


def train(config):
    Runner.from_cfg(config).train()
    return load_run(config.work_dir)


def without_seconds(run):
    return [{key: entry[key] for key in entry if key != 'seconds'} for entry in run.epochs]


@pytest.fixture(scope='module')
def whole(rooms, tmp_path_factory):
    """The uninterrupted run."""
    folder = tmp_path_factory.mktemp('whole')
    return folder, train(make_config(rooms, folder))


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of its folder."""
    shutil.copytree(whole[0], tmp_path / 'run')
    (tmp_path / 'run/last_checkpoint').write_text(str(tmp_path / 'run/epoch_3.pth'))
    return tmp_path / 'run'


def test_run_is_one_for_the_leaderboard(whole):
    run = whole[1]
    assert run.label == 'GO4Align'
    assert run.tasks == tuple(task.name for task in TASKS)
    options = {'benchmark': 'rooms', 'weight_args': {'step_size': 0.1}, 'epochs': 3, 'seed': 5}
    options.update(protocol='tiny', arch='MultiTaskSegmentor', backbone='MTLSegNet')
    assert run.config.items() >= {**options, 'num_frames': {'train': 6, 'val': 3}}.items()
    assert [entry['iteration'] for entry in run.epochs] == [3, 6, 9]
    for entry in run.epochs:
        assert set(entry['weights']) == set(entry['train']['loss']) == set(run.tasks)
        assert all(len(shares) == 2 for shares in entry['groups'].values())
        assert sum(map(sum, entry['groups'].values())) == pytest.approx(3)
        assert min(entry['seconds'].values()) > 0


def test_entries_are_those_that_mmengine_logs(whole):
    folder, run = whole
    lines = [json.loads(line) for line in next(folder.glob('*/vis_data/scalars.json')).open()]
    steps, tests = ([line for line in lines if key in line] for key in ('loss', 'delta_m'))
    assert (len(steps), len(tests)) == (9, 3)
    for epoch, (entry, test) in enumerate(zip(run.epochs, tests)):
        assert test['step'] == epoch + 1
        values = [entry['test']['metrics'][task][metric.name] for task, metric in COLUMNS]
        assert [test[f'{task}/{metric.name}'] for task, metric in COLUMNS] == values
        weights = [step['weight/depth'] for step in steps[3 * epoch : 3 * epoch + 3]]
        assert entry['weights']['depth'] == pytest.approx(sum(weights) / 3)
    # MMEngine logs the mean over up to ten steps; the first is the first step's own.
    total = sum(run.epochs[0]['train']['loss'].values())
    assert total == pytest.approx(steps[2]['loss'], rel=1e-5)
    assert list(folder.glob('best_delta_m_*.pth'))


@pytest.fixture(scope='module')
def by_iteration(rooms, tmp_path_factory):
    run = train(make_config(rooms, tmp_path_factory.mktemp('iterations'), by_epoch=False))
    assert [entry['iteration'] for entry in run.epochs] == [4, 8, 10]
    assert run.config['epochs'] == 3
    return run


@pytest.mark.parametrize(
    ('by_epoch', 'moment', 'after'),
    [
        (True, 'before_train_iter', 7),
        # The checkpoint is there, the validation is not: MMEngine alone would never make it.
        (True, 'before_val_epoch', 6),
        (False, 'before_val_epoch', 8),
        (False, 'before_val_epoch', 4),
    ],
)
def test_killed_run_goes_on(rooms, tmp_path, whole, by_iteration, by_epoch, moment, after):
    """As if nothing had happened, in the middle of an epoch or before a validation."""
    killer = [{'type': 'Killer', 'moment': moment, 'after': after}]
    with pytest.raises(KeyboardInterrupt):
        train(make_config(rooms, tmp_path, by_epoch, custom_hooks=killer))
    resumed = train(make_config(rooms, tmp_path, by_epoch, resume=True))
    assert without_seconds(resumed) == without_seconds(whole[1] if by_epoch else by_iteration)


def test_resumed_from_an_older_checkpoint(rooms, finished, whole):
    """The entries of repeated epochs are replaced, and a half-written line is dropped."""
    for epoch in (2, 3):
        (finished / f'epoch_{epoch}.pth').unlink()
    (finished / 'last_checkpoint').write_text(str(finished / 'epoch_1.pth'))
    with (finished / 'metrics.jsonl').open('a') as file:
        file.write('{"epoch": 3, "itera')
    resumed = train(make_config(rooms, finished, resume=True))
    assert without_seconds(resumed) == without_seconds(whole[1])


def test_finished_run_stays_as_it_is(rooms, finished):
    before = (finished / 'metrics.jsonl').read_text()
    train(make_config(rooms, finished, resume=True))
    assert (finished / 'metrics.jsonl').read_text() == before
    with pytest.raises(ValueError, match='holds a run already'):
        train(make_config(rooms, finished, load_from=None))
    other = {**GO4ALIGN, 'step_size': 0.2}
    with pytest.raises(ValueError, match='should be as in the run that is resumed'):
        train(make_config(rooms, finished, resume=True, optim_wrapper=other))


@pytest.mark.parametrize(
    ('label', 'hooks', 'arguments', 'num_groups'),
    [
        ('EW', [], {}, 0),
        ('GO4Align', [GO4ALIGN_HOOK], {'step_size': 0.1}, 2),
        ('CAGrad', [CAGRAD_HOOK], CAGRAD, 0),
    ],
)
def test_weighting_is_recorded_by_its_name(rooms, tmp_path, label, hooks, arguments, num_groups):
    if label == 'CAGrad':
        pytest.importorskip('torchvision', reason='LibMTL is not installed')
    run = train(make_config(rooms, tmp_path, optim_wrapper=PLAIN, custom_hooks=hooks))
    assert run.label == label
    assert run.config['weight_args'].items() >= arguments.items()
    for entry in run.epochs:
        assert set(entry['weights']) == set(run.tasks)
        assert (set(entry['weights'].values()) == {1.0}) == (label == 'EW')
        sizes = [len(shares) for shares in entry['groups'].values()]
        assert sizes == ([num_groups] * 3 if num_groups else [])


def test_needs_a_validation(rooms, tmp_path):
    nothing = dict.fromkeys(('val_dataloader', 'val_evaluator', 'val_cfg'))
    with pytest.raises(ValueError, match='`val_dataloader` should be given'):
        train(make_config(rooms, tmp_path, **nothing))


@pytest.mark.parametrize(('damage', 'epochs'), [('line', 3), ('cut', 4), ('gone', 4)])
def test_lost_entries_are_an_error(rooms, finished, damage, epochs):
    path = finished / 'metrics.jsonl'
    first, _, third = path.read_text().splitlines(keepends=True)
    path.write_text({'line': f'{first}{{}}\n{third}', 'cut': first, 'gone': ''}[damage])
    if damage == 'gone':
        path.unlink()
    loop = {'by_epoch': True, 'max_epochs': epochs}
    with pytest.raises(ValueError, match=r'metrics\.jsonl.* should .*begin anew'):
        train(make_config(rooms, finished, resume=True, train_cfg=loop))
