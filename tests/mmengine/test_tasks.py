"""Which task a loss belongs to: by its key's first part, or by patterns."""

from __future__ import annotations

import pytest

pytest.importorskip('mmengine', reason='MMEngine is not installed')

from go4align_plugins.mmengine.tasks import TaskPatterns


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
