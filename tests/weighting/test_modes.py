"""The module as torch's own are: evaluation, meta device, copies, transforms, compilation."""

import copy
import io

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from go4align_plugins import AGRM, GO4Align

LOSSES = torch.tensor([1.0, 2.0, 5.0])
GROUPINGS = ['exact', 'kmeans_pytorch', 'spectral', 'sdp']


class Counting(torch.nn.Module):
    """An indicator that changes its state at every call, whatever the mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer('steps', torch.zeros(()))

    def forward(self, losses):
        self.steps += 1
        return losses * self.steps


def make(*args, **options) -> GO4Align:
    """A weighting, or a skipped test where the grouping's package is not installed."""
    try:
        return GO4Align(*args, **options)
    except ImportError as error:
        pytest.skip(f'needs the extra `clustering`: {error}')


def after_a_step(grouping: str = 'exact') -> GO4Align:
    weighting = make(3, 2, step_size=0.1, grouping=grouping)
    weighting(LOSSES)
    return weighting


def assert_alike(one: GO4Align, other: GO4Align, losses: torch.Tensor = LOSSES) -> None:
    """Both hold the same state: their next steps are the same, bit for bit."""
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert torch.equal(one(losses), other(losses))


@pytest.mark.parametrize('num_tasks', [3, 70, 700])
def test_evaluation_moves_nothing(num_tasks):
    weighting, twin = (GO4Align(num_tasks, 2, step_size=0.1) for _ in range(2))
    losses = torch.linspace(0.5, 2, num_tasks)
    assert_alike(weighting, twin, losses)
    weighting.eval()
    evaluated = [weighting(losses.flip(0)) for _ in range(3)]
    # The weights are those of a step in training, which then goes on as if nothing had been.
    assert_alike(weighting.train(), copy.deepcopy(twin), losses)
    assert torch.equal(evaluated[0], evaluated[2])
    assert torch.equal(evaluated[0], twin(losses.flip(0)))


def test_evaluation_with_another_indicator():
    weighting = AGRM(3, 2, Counting())
    weighting(LOSSES)
    for _ in range(2):
        assert weighting.eval()(LOSSES).tolist() == [3, 3, 10]
        assert weighting.indicator.steps == 1
    weighting.train()(LOSSES)
    assert weighting.indicator.steps == 2


@pytest.mark.parametrize('device', ['meta', 'cpu'])
def test_to_empty(device):
    with torch.device(device):
        new, loaded = (GO4Align(3, 2, step_size=0.1) for _ in range(2))
    new = torch.nn.Sequential(new).to_empty(device='cpu')[0]
    new.reset()
    assert_alike(new, GO4Align(3, 2, step_size=0.1))
    loaded.to_empty(device='cpu').load_state_dict(after_a_step().state_dict())
    assert_alike(loaded, after_a_step())


@pytest.mark.parametrize('grouping', GROUPINGS)
def test_copies(grouping):
    weighting, saved = after_a_step(grouping), io.BytesIO()
    torch.save(weighting, saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=False)
    for twin in (copy.deepcopy(weighting), loaded, AveragedModel(weighting).module, weighting):
        assert_alike(twin, after_a_step(grouping))


@pytest.mark.parametrize(
    'transform',
    [
        lambda total, inputs: torch.func.grad(total)(inputs[0]),
        lambda total, inputs: torch.func.vmap(total)(inputs),
        lambda total, inputs: torch.func.jvp(total, (inputs[0],), (inputs[1],)),
        lambda total, inputs: torch.func.vmap(torch.func.grad(total))(inputs),
    ],
)
def test_function_transforms_say_where_to_call_the_weighting(transform):
    weighting, inputs = GO4Align(3), torch.rand(4, 3)
    with pytest.raises(ValueError, match=r'inside of `torch.func`.*Call the weighting outside'):
        transform(lambda losses: weighting(losses) @ losses, inputs)
    assert_alike(weighting, GO4Align(3))
    # The way that the message shows.
    weights = weighting(inputs[0])
    assert torch.equal(torch.func.grad(lambda losses: weights @ losses)(inputs[0]), weights)


@pytest.mark.integration
@pytest.mark.parametrize('num_tasks', [3, 70])
@pytest.mark.parametrize('indicator', [None, lambda losses: 1 / losses])
def test_compiles_to_one_graph(num_tasks, indicator):
    weighting = AGRM(num_tasks, 2, indicator) if indicator else GO4Align(num_tasks, 2, 0.1)
    reference = copy.deepcopy(weighting)
    compiled = torch.compile(
        lambda losses: weighting(losses) @ losses, backend='aot_eager', fullgraph=True
    )
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        losses = torch.rand(num_tasks, generator=generator) + 0.1
        torch.testing.assert_close(compiled(losses), reference(losses) @ losses)
        assert torch.equal(weighting.groups, reference.groups)
    # Nobody can learn of a negative loss in there otherwise, so the total shows it.
    assert compiled(-losses).isnan()
    torch.testing.assert_close(weighting.state_dict(), reference.state_dict())
