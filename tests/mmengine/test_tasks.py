"""The sums of losses by task: by the first part of each key, or by patterns."""

from __future__ import annotations

import pytest
import torch

from go4align_plugins.mmengine.tasks import TaskLosses


@pytest.mark.parametrize(
    ('key', 'task'),
    [('depth.loss_l1', 'depth'), ('aux_0.decode.loss_ce', 'aux_0'), ('loss_cls', 'loss_cls')],
)
def test_without_patterns_the_first_part_is_the_task(key, task):
    tasks = TaskLosses()
    assert tasks.names == ()
    assert tasks.find_task(key) == task


def test_patterns_claim_keys_in_the_order_of_the_tasks():
    tasks = TaskLosses({'normal': 'normal_*', 'segmentation': ['decode.*', 'aux*.loss_ce']})
    assert tasks.names == ('normal', 'segmentation')
    keys = ['decode.loss_ce', 'aux_1.loss_ce', 'normal_loss']
    assert [tasks.find_task(key) for key in keys] == ['segmentation', 'segmentation', 'normal']


@pytest.mark.parametrize(
    ('patterns', 'key', 'message'),
    [
        ({'depth': ['Depth.*']}, 'depth.loss', 'Found none'),
        ({'depth': ['depth.*']}, 'aux.loss', r'the loss `aux\.loss` to exactly one.*Found none of'),
        ({'all': ['*'], 'a': ['a.*'], 'b': ['b.*']}, 'a.x', r'`a\.x`.*Found `all` and `a` of'),
    ],
)
def test_key_of_no_task_or_of_two_is_named(patterns, key, message):
    with pytest.raises(ValueError, match=message):
        TaskLosses(patterns).sum({key: torch.ones(())})


@pytest.mark.parametrize('tasks', [{}, ['depth'], 'depth', 3])
def test_tasks_that_are_no_mapping(tasks):
    with pytest.raises(ValueError, match=r'Parameter `tasks` should map .* Found `tasks = '):
        TaskLosses(tasks)


@pytest.mark.parametrize('patterns', [[], None, '', [1], True])
def test_task_without_patterns(patterns):
    with pytest.raises(ValueError, match='give task `depth` at least one pattern'):
        TaskLosses({'depth': patterns})


def test_losses_are_summed_by_task_in_single_precision_at_least():
    terms = {'a.x': torch.tensor(1.5).half(), 'c.x': torch.tensor(4.0), 'a.y': torch.tensor(2.0)}
    losses = TaskLosses({name: f'{name}.*' for name in 'abc'}).sum(terms)
    assert losses.tolist() == [3.5, 0, 4]
    assert losses.dtype == torch.float32
    assert TaskLosses().sum({'a': torch.ones((), dtype=torch.float64)}).dtype == torch.float64


def test_first_losses_fix_the_tasks():
    tasks = TaskLosses()
    assert tasks.sum({'b.x': torch.tensor(2.0), 'a': torch.tensor(1.0)}).tolist() == [2, 1]
    assert tasks.names == ('b', 'a')
    assert tasks.sum({'a': torch.tensor(3.0)}).tolist() == [0, 3]
