"""The wrappers, step by step: weights by hand, accumulation, mixed precision, state, mistakes."""

from __future__ import annotations

import logging
import math

import pytest
import torch

pytest.importorskip('mmengine', reason='MMEngine is not installed')

from mmengine.logging import MMLogger
from mmengine.optim import (
    AmpOptimWrapper,
    OptimWrapper,
    OptimWrapperDict,
    build_optim_wrapper,
)
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import OPTIM_WRAPPERS, DefaultScope
from toys import ToyData, ToyModel

from go4align_plugins import GO4Align
from go4align_plugins.mmengine import (
    GO4AlignAmpOptimWrapper,
    GO4AlignOptimWrapper,
)


class Scales(ToyModel):
    """One parameter a task; each loss is what a step asks for, and so is its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.ParameterDict({'a': torch.ones(()), 'b': torch.ones(())})

    def step(self, wrapper: OptimWrapper, losses: dict[str, float]) -> None:
        ones = {name: scale - scale.detach() + 1 for name, scale in self.scale.items()}
        terms = {f'{name}.loss': ones[name] * loss for name, loss in losses.items()}
        total, _ = self.parse_losses(terms)
        wrapper.update_params(total)


@pytest.fixture
def model():
    return Scales()


@pytest.fixture
def on_accelerator(monkeypatch):
    """MMEngine's wrapper refuses to work on the CPU, whose arithmetic is the same."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)


def make_wrapper(model, kind=GO4AlignOptimWrapper, max_counts=100, lr=1.0, **options):
    wrapper = kind(torch.optim.SGD(model.scale.parameters(), lr=lr), **options)
    wrapper.initialize_count_status(model, 0, max_counts)
    return wrapper


def make_amp_wrapper(model, scale=2.0**10, **options):
    wrapper = make_wrapper(model, GO4AlignAmpOptimWrapper, **options)
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=scale)
    return wrapper


def moved(model):
    return [1 - model.scale[name].item() for name in ('a', 'b')]


def logged(wrapper, name):
    return wrapper.message_hub.get_scalar(f'train/{name}').current()


def accumulated(wrapper):
    return wrapper.weighting.indicator.accumulated_risk


def test_first_step_by_hand(model):
    # p = 4 / L = (4, 4/3); beta L = (0.1, 0.3): q = exp(-beta L) / sum; K = M: weights = p q.
    q = [math.exp(-0.1), math.exp(-0.3)]
    weights = [4 * q[0] / sum(q), 4 / 3 * q[1] / sum(q)]
    wrapper = make_wrapper(model, step_size=0.1)
    model.step(wrapper, {'a': 1, 'b': 3})
    assert wrapper.task_names == ('a', 'b')
    # With SGD at rate 1 a parameter moves by weight x loss.
    assert moved(model) == pytest.approx([weights[0], 3 * weights[1]], rel=1e-6)
    assert [logged(wrapper, f'weight/{name}') for name in 'ab'] == pytest.approx(weights, rel=1e-6)
    assert [logged(wrapper, f'group/{name}') for name in 'ab'] == [1, 0]


def test_found_by_its_bare_name_under_another_scope(model):
    config = {
        'type': 'GO4AlignOptimWrapper',
        'optimizer': {'type': 'SGD', 'lr': 0.1},
        'num_groups': 1,
        'tasks': {'b': ['b.*'], 'a': 'a.*'},
        'paramwise_cfg': {'custom_keys': {'trunk': {'lr_mult': 0.1}}},
    }
    with DefaultScope.overwrite_default_scope('mmseg'):
        wrapper = build_optim_wrapper(model, config)
    assert type(wrapper) is GO4AlignOptimWrapper
    assert wrapper.task_names == ('b', 'a')
    assert wrapper.weighting.num_groups == 1
    assert OPTIM_WRAPPERS.get('GO4AlignAmpOptimWrapper') is GO4AlignAmpOptimWrapper


def test_options_reach_the_method():
    parameters = [torch.ones((), requires_grad=True)]
    wrapper = GO4AlignOptimWrapper(
        torch.optim.SGD(parameters, lr=1),
        tasks={'a': 'a', 'b': 'b', 'c': 'c'},
        risk_scale='mean',
        smooth_alignment=False,
        grouping=lambda indicator, num_groups: torch.zeros_like(indicator, dtype=torch.int64),
    )
    # Eq. 5 alone is mean(L) / L = (10 / 3) / L; and all are in one group.
    weights = wrapper.weighting(torch.tensor([1.0, 3.0, 6.0], dtype=torch.float64))
    assert weights.tolist() == pytest.approx([(10 / 3) * (1 + 1 / 3 + 1 / 6) / 3] * 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_groups': 0}, '`num_groups` should be'),
        ({'step_size': -1}, '`step_size` should be'),
        ({'risk_scale': 'max'}, '`risk_scale` should be'),
        ({'grouping': 'best'}, '`grouping` should be'),
        ({'num_groups': 3, 'tasks': {'a': 'a*', 'b': 'b*'}}, '`num_groups` should be between'),
    ],
)
def test_wrong_option_is_refused_at_once(model, options, message):
    with pytest.raises(ValueError, match=message):
        make_wrapper(model, **options)


def test_losses_of_one_task_are_added(model):
    wrapper = make_wrapper(model, tasks={'both': ['a.*', 'b.*'], 'other': ['c.*']}, step_size=0)
    model.step(wrapper, {'a': 1, 'b': 3})
    # One task of two is present: p = 1, q = 1/2.
    assert moved(model) == pytest.approx([0.5, 1.5])
    assert logged(wrapper, 'weight/other') == 0
    assert logged(wrapper, 'group/other') == -1


def test_absent_task_keeps_its_state(model):
    wrapper = make_wrapper(model, step_size=0.1)
    model.step(wrapper, {'a': 1, 'b': 3})
    before = accumulated(wrapper).clone()
    model.step(wrapper, {'a': 2})
    assert (accumulated(wrapper) - before).tolist() == pytest.approx([0.2, 0])
    assert logged(wrapper, 'weight/b') == 0


def test_one_task_trains_as_ever(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'b': 3})
    assert moved(model) == [0, 3]
    assert logged(wrapper, 'weight/b') == 1


def test_task_names_may_contain_loss(model):
    wrapper = make_wrapper(model)
    terms = {'loss_cls': model.scale['a'] * 1, 'loss_bbox': model.scale['b'] * 2}
    wrapper.update_params(model.parse_losses(terms)[0])
    assert wrapper.task_names == ('loss_cls', 'loss_bbox')
    assert logged(wrapper, 'weight/loss_cls') > logged(wrapper, 'weight/loss_bbox')


def test_task_that_appears_later_is_refused(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1})
    with pytest.raises(ValueError, match=r"should name all tasks.*`b\.loss`.*`\('a',\)`"):
        model.step(wrapper, {'a': 1, 'b': 1})


def test_negative_loss_names_its_task(model):
    wrapper = make_wrapper(model)
    with pytest.raises(ValueError, match='of task `b`'):
        model.step(wrapper, {'a': 1, 'b': -1})


def test_loss_of_no_model_is_refused(model):
    wrapper = make_wrapper(model)
    with pytest.raises(ValueError, match='total that the model'):
        wrapper.update_params(model.scale['a'] * 2)


def test_several_optimizers_are_refused(model):
    wrapper = GO4AlignOptimWrapper(torch.optim.SGD(model.scale.parameters(), lr=1))
    several = OptimWrapperDict(generator=wrapper)
    several.initialize_count_status(model, 0, 10)
    with pytest.raises(ValueError, match='Several optimizers'):
        model.step(several['generator'], {'a': 1})


def test_half_precision_losses_are_weighed_in_single(model):
    wrapper = make_wrapper(model, step_size=0)
    # sum / L overflows in float16, whose largest number is 65504.
    terms = {
        'a.loss': (model.scale['a'] * 1000).half(),
        'b.loss': (model.scale['b'] * 0.001).half(),
    }
    wrapper.update_params(model.parse_losses(terms)[0])
    assert logged(wrapper, 'weight/b') == pytest.approx(0.5 * 1000 / 0.001, rel=1e-3)


@pytest.mark.parametrize('count', [1, 2, 3, 5])
def test_equal_micro_batches_move_the_state_as_one_step(count):
    states = []
    for accumulative_counts in (1, count):
        model = Scales()
        wrapper = make_wrapper(model, step_size=0.1, accumulative_counts=accumulative_counts)
        for _ in range(accumulative_counts):
            model.step(wrapper, {'a': 1, 'b': 3})
        states.append(accumulated(wrapper))
    torch.testing.assert_close(*states, rtol=1e-15, atol=0)


def test_micro_batches_at_the_end_are_fewer():
    # 5 iterations in steps of 3: the last step has 2 micro-batches, and each counts for a half.
    model = Scales()
    wrapper = make_wrapper(model, step_size=0.1, accumulative_counts=3, max_counts=5)
    for expected in (1 / 3, 2 / 3, 1, 3 / 2, 2):
        model.step(wrapper, {'a': 1, 'b': 3})
        assert accumulated(wrapper).tolist() == pytest.approx([0.1 * expected, 0.3 * expected])


def test_accumulated_gradient_is_the_mean_of_the_micro_batches(model):
    wrapper = make_wrapper(model, step_size=0, accumulative_counts=2)
    model.step(wrapper, {'a': 1, 'b': 3})
    assert moved(model) == [0, 0]
    model.step(wrapper, {'a': 5, 'b': 1})
    # Weights x losses: half of the sum for each task, 2 and then 3.
    assert moved(model) == pytest.approx([2.5, 2.5])


def test_gradients_are_clipped_as_inherited(model):
    wrapper = make_wrapper(model, step_size=0, clip_grad={'max_norm': 0.1})
    model.step(wrapper, {'a': 1, 'b': 3})
    assert math.hypot(*moved(model)) == pytest.approx(0.1, rel=1e-4)
    assert logged(wrapper, 'grad_norm') == pytest.approx(math.hypot(2, 2), rel=1e-6)


@pytest.mark.usefixtures('on_accelerator')
def test_mixed_precision_scales_once():
    results = []
    for make in (make_wrapper, make_amp_wrapper):
        model = Scales()
        wrapper = make(model, step_size=0.1, clip_grad={'max_norm': 3.0}, accumulative_counts=2)
        for losses in ({'a': 1, 'b': 3}, {'a': 2, 'b': 1}):
            model.step(wrapper, losses)
        results.append((moved(model), accumulated(wrapper).tolist()))
    # The scale is a power of two: nothing is rounded.
    assert results[0] == results[1]
    assert isinstance(wrapper, AmpOptimWrapper)


@pytest.mark.usefixtures('on_accelerator')
@pytest.mark.parametrize('bad', [math.inf, math.nan])
def test_non_finite_loss_skips_the_step_and_leaves_no_trace(model, bad):
    wrapper = make_amp_wrapper(model, step_size=0.1)
    model.step(wrapper, {'a': 1, 'b': 3})
    parameters, state = moved(model), accumulated(wrapper).clone()
    groups = wrapper.weighting.groups.clone()
    model.step(wrapper, {'a': 1, 'b': bad})
    assert moved(model) == parameters
    assert torch.equal(accumulated(wrapper), state)
    assert torch.equal(wrapper.weighting.groups, groups)
    assert wrapper.loss_scaler.get_scale() == 2.0**9
    model.step(wrapper, {'a': 1, 'b': 3})
    assert moved(model) != parameters


@pytest.mark.usefixtures('on_accelerator')
def test_bfloat16_autocast_on_the_cpu():
    model, data = ToyModel(), ToyData()
    wrapper = GO4AlignAmpOptimWrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01), dtype='bfloat16'
    )
    wrapper.loss_scaler = torch.amp.GradScaler('cpu')
    wrapper.initialize_count_status(model, 0, 10)
    before = [parameter.clone() for parameter in model.parameters()]
    log_vars = model.train_step((data.inputs, data.targets), wrapper)
    assert log_vars['far.loss_l1'].isfinite()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters()))


def test_mixed_precision_without_an_accelerator_is_refused_as_inherited(model):
    if torch.cuda.is_available():
        pytest.skip('there is an accelerator')
    with pytest.raises(AssertionError, match='only available training'):
        make_wrapper(model, GO4AlignAmpOptimWrapper)


def test_state_continues_bit_for_bit():
    rounds = [{'a': 1.1, 'b': 3.3}, {'a': 0.7, 'b': 2.9}, {'a': 2.3, 'b': 0.4}]
    model = Scales()
    wrapper = make_wrapper(model, step_size=0.1)
    for losses in rounds:
        model.step(wrapper, losses)
    resumed, other = Scales(), Scales()
    first = make_wrapper(resumed, step_size=0.1)
    for losses in rounds[:2]:
        resumed.step(first, losses)
    second = make_wrapper(other, step_size=0.1)
    other.load_state_dict(resumed.state_dict())
    second.load_state_dict(first.state_dict())
    assert second.task_names == ('a', 'b')
    other.step(second, rounds[2])
    assert moved(other) == moved(model)
    assert torch.equal(accumulated(second), accumulated(wrapper))


def test_loading_leaves_the_callers_checkpoint_alone(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    state = wrapper.state_dict()
    keys = set(state)
    wrapper.load_state_dict(state)
    assert set(state) == keys


def test_state_of_other_tasks_is_refused(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    other = make_wrapper(model, tasks={'b': 'b.*', 'a': 'a.*'})
    with pytest.raises(ValueError, match=r"checkpoint.*`\('a', 'b'\)`. Found `\('b', 'a'\)`"):
        other.load_state_dict(wrapper.state_dict())


def test_state_of_a_plain_wrapper_loads_with_a_warning(model, caplog):
    logger = MMLogger.get_instance('go4align_tests')
    logger.addHandler(caplog.handler)
    plain = OptimWrapper(torch.optim.SGD(model.scale.parameters(), lr=0.25))
    wrapper = make_wrapper(model)
    with caplog.at_level(logging.WARNING):
        wrapper.load_state_dict(plain.state_dict())
    logger.removeHandler(caplog.handler)
    assert 'no state of the weighting' in caplog.text
    assert wrapper.get_lr() == {'lr': [0.25]}


@pytest.mark.usefixtures('on_accelerator')
@pytest.mark.parametrize('kind', [OptimWrapper, AmpOptimWrapper])
def test_plain_wrapper_loads_ours(model, kind):
    make = make_amp_wrapper if kind is AmpOptimWrapper else make_wrapper
    wrapper = make(model, lr=0.25)
    model.step(wrapper, {'a': 1, 'b': 3})
    plain = kind(optimizer=torch.optim.SGD(model.scale.parameters(), lr=1, momentum=0.9))
    plain.load_state_dict(wrapper.state_dict())
    assert plain.get_lr() == {'lr': [0.25]}


def test_state_is_tensors_and_plain_values(model, tmp_path):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    torch.save(wrapper.state_dict(), tmp_path / 'state.pth')
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    assert state['weighting']['task_names'] == ['a', 'b']
    assert GO4Align(2).load_state_dict(state['weighting']['state_dict'])
