"""A long training with losses made to break the weighting, against a reference of 40 digits.

    python -m pytest tests/faults/long_run.py                           # 10^5 steps
    FAULTS_STEPS=2000 python -m pytest tests/faults/long_run.py -k 3-2

Losses of 10^-30 to 10^30, equal and denormal ones; tasks that vanish for a while and come back;
bursts of NaN and infinity. In every step the weights and the state are finite, a bad step leaves no
trace, and the state is mpmath's within the error stated below; so are the weights, in every step of
3 tasks, and in every (M / 3)-th of M; memory does not grow. Needs mpmath.
"""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
from collections.abc import Iterator

import pytest
import torch
from mpmath import mp
from torch import Tensor
from tqdm import tqdm

from go4align_plugins import GO4Align

from ..fuzz.reference import exact_indicator, exact_weights

STEPS = int(os.environ.get('FAULTS_STEPS', 10**5))
DIGITS = 40
STATE_ERROR = 2.0**-52
"""Of the summed losses, relative, a step: half for rounding the product, half for the sum."""
WEIGHT_ERROR = 2.0**-50
"""Of a weight, relative, given the state, a unit of the logarithms that add up to its own."""
SMALLEST = sys.float_info.min
RUNS = ((3, 2, 1e-4), (3, 2, 1e-34), (11, 5, 1e-34), (40, 5, 1e-2))
"""Tasks, groups, step size: at 1e-4, one loss of 10^30 decides q for good; at 1e-34 none does."""
MAX_GROWTH = 32768
"""Bytes that Python and torch hold for a moment more or less (`torch.tensor` alone leaves some
kilobytes to be used again); a leak of 4 bytes a step is more."""


def adversarial_losses(num_tasks: int, steps: int, seed: int) -> Iterator[Tensor]:
    """Losses (M,) of each step, float64."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    absent, burst = torch.zeros(num_tasks), 0
    for step in range(steps):
        kind = int(random(1) * 8)
        losses = random(num_tasks) + 0.1
        if kind < 3:
            losses = 10 ** (60 * random(num_tasks) - 30)
        elif kind == 3:
            losses = losses.new_full((num_tasks,), float(losses[0]))
        elif kind == 4 and step % 50 == 0:
            losses[int(random(1) * num_tasks)] = 5e-324 if step % 100 else SMALLEST
        # A task vanishes for up to 40 steps; at times all do.
        absent = torch.where(random(num_tasks) < 0.01, 40 * random(num_tasks), absent - 1)
        losses[absent > 0] = 0
        burst = int(5 * random(1)) + 1 if random(1) < 0.01 else burst - 1
        if burst > 0:
            losses[int(random(1) * num_tasks)] = [torch.nan, torch.inf, -torch.inf][step % 3]
        yield losses


def magnitudes(risks: list[float], losses: list[float], groups: list[int]) -> list[float]:
    """The sums of logarithms that a weight's error is a multiple of: the largest of its group."""
    total, least = mp.log(mp.fsum(losses)) if any(losses) else 0, min(risks)
    sizes = [0.0] * len(losses)
    for task, x in enumerate(losses):
        if x > 0:
            # A share that underflows adds nothing to the mean.
            sizes[task] = float(abs(total) + abs(mp.log(x)) + min(risks[task] - least, 800))
    return [
        1 + max(size for size, other in zip(sizes, groups) if other == group) for group in groups
    ]


@mp.workdps(DIGITS)
def check_run(
    num_tasks: int, num_groups: int, step_size: float, steps: int, seed: int = 0
) -> dict[str, float]:
    """Take the steps and check each.

    Returns:
        The largest errors of state and weights, in units of those stated.

    Raises:
        AssertionError: if something does not hold; the message names the step.
    """
    weighting = GO4Align(num_tasks, num_groups, step_size)
    state, sums, taken = weighting.indicator.accumulated_risk, [mp.mpf(0)] * num_tasks, 0
    worst = {'state': 0.0, 'weights': 0.0}
    bar = tqdm(adversarial_losses(num_tasks, steps, seed), total=steps, unit='step', disable=None)
    for number, losses in enumerate(bar):
        before, groups_before = state.clone(), weighting.groups.clone()
        weights = weighting(losses)
        where = f'step {number}: {losses.tolist()}'
        assert weights.isfinite().all(), where
        assert state.isfinite().all(), where
        if not losses.isfinite().all():
            assert weights.eq(1).all(), where
            assert torch.equal(state, before), where
            assert torch.equal(weighting.groups, groups_before), where
            continue
        taken += 1
        groups, risks = weighting.groups.tolist(), state.tolist()
        assert [group < 0 for group in groups] == losses.eq(0).tolist(), where
        sums = [x + mp.mpf(step_size) * loss for x, loss in zip(sums, losses.tolist())]
        for found, exact in zip(risks, sums):
            error = abs(found - exact) / (STATE_ERROR * taken * exact + SMALLEST)
            worst['state'] = max(worst['state'], float(error))
        assert worst['state'] <= 1, f'{worst}, {where}'
        if number % max(num_tasks // 3, 1):
            continue
        # The state and the groups are given: the last bit may decide between equally good groups.
        expected = exact_weights(exact_indicator(losses.tolist(), risks), groups)
        sizes = magnitudes(risks, losses.tolist(), groups)
        for found, exact, magnitude in zip(weights.tolist(), expected, sizes):
            error = abs(found - exact) / (WEIGHT_ERROR * magnitude * exact + 2 * SMALLEST)
            worst['weights'] = max(worst['weights'], float(error))
        assert worst['weights'] <= 1, f'{worst}, {where}'
    return worst


def check_memory(num_tasks: int, num_groups: int, steps: int) -> int:
    """Python's bytes that as many steps again add, beyond those after the first half.

    Raises:
        AssertionError: if they grow.
    """
    weighting = GO4Align(num_tasks, num_groups)
    tracemalloc.start()
    for number, losses in enumerate(adversarial_losses(num_tasks, steps, 1)):
        weighting(losses)
        if number == steps // 2:
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
    gc.collect()
    growth = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    assert growth <= MAX_GROWTH, f'{growth} bytes more after {steps} steps'
    return growth


@pytest.mark.parametrize(('num_tasks', 'num_groups', 'step_size'), RUNS)
def test_long_run(num_tasks, num_groups, step_size):
    worst = check_run(num_tasks, num_groups, step_size, STEPS)
    print('errors over those stated:', worst, check_memory(num_tasks, num_groups, STEPS), 'bytes')
