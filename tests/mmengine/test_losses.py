"""The recorder returns a model's own result and knows its parts, which are summed by task."""

from __future__ import annotations

import copy
import gc
import io
import weakref

import pytest
import torch
from mmengine.model import ExponentialMovingAverage

from go4align_plugins.mmengine.losses import LossRecorder, TaskLosses

from .toys import ToyData, ToyModel


class AddsPenalty(ToyModel):
    """Adds to the total what it does not log."""

    def parse_losses(self, losses):
        total, log_vars = super().parse_losses(losses)
        return total + 1, log_vars


@pytest.fixture
def model():
    return ToyModel()


@pytest.fixture
def recorder(model):
    return LossRecorder.attach(model)


@pytest.fixture
def one():
    return torch.ones((), requires_grad=True)


def forward(model):
    data = ToyData()
    return model(data.inputs, data.targets, mode='loss')


def values(mapping):
    return {key: value.item() for key, value in mapping.items()}


def test_result_is_the_models_own(model):
    losses, names = forward(model), list(model.state_dict())
    total, log_vars = model.parse_losses(losses)
    LossRecorder.attach(model)
    found, found_vars = model.parse_losses(losses)
    assert torch.equal(found, total)
    assert [*values(found_vars).items()] == [*values(log_vars).items()]
    assert list(model.state_dict()) == names


def test_summands_by_hand(model, recorder):
    w = torch.ones(2, requires_grad=True)
    losses = {'loss': w * 3, 'b.loss': [w * 1, w * 2], 'b.acc': w * 9, 'empty_loss': []}
    total, _ = model.parse_losses(losses)
    assert total.item() == 6
    terms = recorder.pop(total)
    assert values(terms) == {'loss': 3, 'b.loss': 3, 'empty_loss': 0}
    (5 * terms['loss']).backward()
    assert w.grad.tolist() == [7.5, 7.5]


def test_several_totals_one_by_one_or_added(model, recorder, one):
    recorder = LossRecorder.attach(model)  # in place of the first
    first, _ = model.parse_losses({'a_loss': one, 'b_loss': 2 * one})
    second, _ = model.parse_losses({'b_loss': 4 * one})
    third, _ = model.parse_losses({'c_loss': one})
    assert values(recorder.pop(third)) == {'c_loss': 1}
    assert values(recorder.pop(first + second)) == {'a_loss': 1, 'b_loss': 6}


def test_other_losses_are_refused(model, recorder, one):
    with torch.no_grad():
        total, _ = model.parse_losses(forward(model))
    with pytest.raises(ValueError, match=r'should be the total that the model.*totals `\[\]`'):
        recorder.pop(total)
    total, _ = model.parse_losses({'depth': one})
    with pytest.raises(ValueError, match=r"keys that contain `loss`\..*the keys `\['depth'\]`"):
        recorder.pop(total)
    total, _ = model.parse_losses({'a_loss': one})
    with pytest.raises(ValueError, match=r'should be the total that the model.*totals `\[1\.0\]`'):
        recorder.pop(total * 0.5)


def test_total_that_nobody_holds_frees_its_graph(model, recorder, one):
    term = one * 2
    total, log_vars = model.parse_losses({'a_loss': term})
    seen = weakref.ref(term)
    del term, total, log_vars
    gc.collect()
    assert seen() is None


def test_models_that_cannot_be_recorded_are_refused():
    model = AddsPenalty()
    LossRecorder.attach(model)
    with pytest.raises(ValueError, match=r"return the sum .*'near.loss_l1', 'near.loss_l2'"):
        model.parse_losses(forward(model))
    with pytest.raises(ValueError, match=r'should have the method `parse_losses`.*Found .*Linear'):
        LossRecorder.attach(torch.nn.Linear(1, 1))


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


@pytest.mark.parametrize('make_copy', [copy.deepcopy, ExponentialMovingAverage, saved])
def test_copy_has_its_own_plain_method(model, recorder, make_copy):
    twin = make_copy(model)
    twin = getattr(twin, 'module', twin)
    assert twin.parse_losses.__self__ is twin
    assert twin.parse_losses.__func__ is ToyModel.parse_losses
    assert model.parse_losses is recorder


def test_keys_belong_to_the_task_of_their_first_part_or_pattern():
    keys = ['decode.loss_ce', 'aux_1.decode.loss_ce', 'normal_loss']
    assert [*map(TaskLosses().find_task, keys)] == ['decode', 'aux_1', 'normal_loss']
    tasks = TaskLosses({'normal': 'normal_*', 'map': ['decode.*', 'aux*.loss_ce']})
    assert tasks.names == ('normal', 'map')
    assert [*map(tasks.find_task, keys)] == ['map', 'map', 'normal']


@pytest.mark.parametrize(
    ('tasks', 'message'),
    [
        *((wrong, 'should map .* Found `tasks = ') for wrong in ({}, ['depth'], 'depth', 3)),
        *(({'depth': wrong}, 'task `depth` at least one') for wrong in ([], None, '', [1], True)),
        ({'depth': ['Depth.*']}, '`depth.loss` to exactly one task, not none'),
        ({'all': ['*'], 'a': 'depth.*', 'b': 'b*'}, r'`depth\.loss` to .* not all and a\. Found'),
    ],
)
def test_wrong_tasks_are_named(tasks, message):
    with pytest.raises(ValueError, match=message):
        TaskLosses(tasks).sum({'depth.loss': torch.ones(())})
