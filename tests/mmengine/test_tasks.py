"""Which task a loss belongs to: by its key's first part, or by patterns."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmengine', reason='MMEngine is not installed')

from go4align_plugins.mmengine.tasks import TaskPatterns, sum_by_task


@pytest.mark.parametrize(
    ('key', 'task'),
    [('depth.loss_l1', 'depth'), ('aux_0.decode.loss_ce', 'aux_0'), ('loss_cls', 'loss_cls')],
)
def test_without_patterns_the_first_part_is_the_task(key, task):
    task_of = TaskPatterns()
    assert task_of.names == ()
    assert task_of(key) == task


def test_patterns_claim_keys_in_the_order_of_the_tasks():
    task_of = TaskPatterns({'normal': 'normal_*', 'segmentation': ['decode.*', 'aux*.loss_ce']})
    assert task_of.names == ('normal', 'segmentation')
    keys = ['decode.loss_ce', 'aux_1.loss_ce', 'normal_loss']
    assert [task_of(key) for key in keys] == ['segmentation', 'segmentation', 'normal']


def test_case_counts_in_patterns():
    with pytest.raises(ValueError, match='Found none'):
        TaskPatterns({'depth': ['Depth.*']})('depth.loss')


def test_unclaimed_key_is_named():
    with pytest.raises(ValueError, match=r'the loss `aux\.loss_ce` to exactly one.*Found none of'):
        TaskPatterns({'segmentation': ['decode.*']})('aux.loss_ce')


def test_key_of_two_tasks_names_both():
    task_of = TaskPatterns({'all': ['*'], 'depth': ['depth.*'], 'normal': ['normal.*']})
    with pytest.raises(ValueError, match=r'`depth\.loss`.*Found `all` and `depth` of'):
        task_of('depth.loss')


@pytest.mark.parametrize('tasks', [{}, ['depth'], 'depth', 3])
def test_tasks_that_are_no_mapping(tasks):
    with pytest.raises(ValueError, match=r'Parameter `tasks` should map .* Found `tasks = '):
        TaskPatterns(tasks)


@pytest.mark.parametrize('patterns', [[], None, '', [1]])
def test_task_without_patterns(patterns):
    with pytest.raises(ValueError, match='give task `depth` at least one pattern'):
        TaskPatterns({'depth': patterns})


def test_losses_are_summed_by_task_in_single_precision():
    terms = {'a.x': torch.tensor(1.5).half(), 'c.x': torch.tensor(4.0), 'a.y': torch.tensor(2.0)}
    losses = sum_by_task(terms, {'a.x': 'a', 'c.x': 'c', 'a.y': 'a'}, ('a', 'b', 'c'))
    assert losses.tolist() == [3.5, 0, 4]
    assert losses.dtype == torch.float32


def test_double_precision_is_kept():
    terms = {'a': torch.tensor(1.0, dtype=torch.float64)}
    assert sum_by_task(terms, {'a': 'a'}, ('a',)).dtype == torch.float64
