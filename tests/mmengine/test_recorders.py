"""The recorder returns the result of the model's own method, and knows the parts of each total."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from toys import ToyData, ToyModel

from go4align_plugins.mmengine.recorders import LossRecorder


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
    losses = forward(model)
    expected_total, expected_log = model.parse_losses(losses)
    names = list(model.state_dict())
    LossRecorder.attach(model)
    total, log_vars = model.parse_losses(losses)
    assert torch.equal(total, expected_total)
    assert list(log_vars) == list(expected_log)
    assert values(log_vars) == values(expected_log)
    assert list(model.state_dict()) == names


def test_summands_by_hand(model, recorder):
    w = torch.ones(2, requires_grad=True)
    losses = {'a.loss': w * 3, 'b.loss': [w * 1, w * 2], 'b.acc': w * 9, 'empty_loss': []}
    total, _ = model.parse_losses(losses)
    assert total.item() == 6
    terms = recorder.pop(total)
    assert values(terms) == {'a.loss': 3, 'b.loss': 3, 'empty_loss': 0}
    (5 * terms['a.loss']).backward()
    assert w.grad.tolist() == [7.5, 7.5]


def test_loss_called_loss_is_not_taken_for_the_total(model, recorder, one):
    total, _ = model.parse_losses({'loss': one, 'aux_loss': 2 * one})
    assert values(recorder.pop(total)) == {'loss': 1, 'aux_loss': 2}


@pytest.mark.parametrize('keys', [('depth', 'accuracy'), ()])
def test_a_model_without_losses_is_named(model, recorder, one, keys):
    total, _ = model.parse_losses(dict.fromkeys(keys, one))
    with pytest.raises(ValueError, match=r'keys that contain `loss`.*Found the keys'):
        recorder.pop(total)


def test_several_totals_one_by_one_or_added(model, recorder, one):
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
    with pytest.raises(ValueError, match=r'should return the sum .*`near.loss_l1`, `near.loss_l2`'):
        model.parse_losses(forward(model))
    with pytest.raises(ValueError, match=r'should have the method `parse_losses`.*Found `Linear`'):
        LossRecorder.attach(torch.nn.Linear(1, 1))


def test_second_recorder_replaces_the_first(model, recorder):
    second = LossRecorder.attach(model)
    total, _ = model.parse_losses(forward(model))
    with pytest.raises(ValueError):
        recorder.pop(total)
    assert len(second.pop(total)) == 3


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def averaged(model):
    return ExponentialMovingAverage(model).module


@pytest.mark.parametrize('make_copy', [copy.deepcopy, averaged, pickled, saved])
def test_copy_has_its_own_plain_method(model, recorder, make_copy):
    twin = make_copy(model)
    assert twin.parse_losses.__self__ is twin
    assert twin.parse_losses.__func__ is ToyModel.parse_losses
    total, _ = twin.parse_losses(forward(twin))
    with pytest.raises(ValueError):
        recorder.pop(total)
    assert model.parse_losses is recorder
