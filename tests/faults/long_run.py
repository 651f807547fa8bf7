"""A long training with losses made to break the weighting, against a reference of 40 digits.

    FAULTS_STEPS=2000 python -m pytest tests/faults/long_run.py -k 3-2  # 10^5 steps by default

Losses of 10^-30 to 10^30, equal and denormal ones; tasks that vanish for a while and come back;
bursts of NaN and infinity. In every step the weights and the state are finite, a bad step leaves no
trace, and the state is mpmath's within the error stated below; so are the weights, in every step of
3 tasks, and in every (M / 3)-th of M; memory does not grow. Needs mpmath.
"""

from __future__ import annotations

import gc
import os
import sys

import pytest
import torch
from mpmath import mp

from go4align_plugins import GO4Align

from ..fuzz.reference import error_of_weights

STEPS = int(os.environ.get('FAULTS_STEPS', 10**5))
# Of the summed losses, relative, a step: half for rounding the product, half for the sum.
STATE_ERROR = 2.0**-52
SMALLEST = sys.float_info.min
# Tasks, groups, step size: at 1e-4, one loss of 10^30 decides q for good; at 1e-34 none does.
RUNS = ((3, 2, 1e-4), (3, 2, 1e-34), (11, 5, 1e-34), (40, 5, 1e-2))
# Blocks of memory that Python and torch hold for a moment more; a leak in each tenth step is more.
MAX_GROWTH = 1000


def adversarial_losses(num_tasks, steps, seed):
    """Losses (M,) of each step, float64."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    absent, burst = torch.zeros(num_tasks), 0
    for step in range(steps):
        kind = int(random(1) * 8)
        losses = random(num_tasks) + 0.1
        if kind < 3:
            losses = 10 ** (60 * random(num_tasks) - 30)
        elif kind == 3:
            losses[:] = losses[0].item()
        elif kind == 4 and step % 50 == 0:
            losses[int(random(1) * num_tasks)] = 5e-324 if step % 100 else SMALLEST
        # A task vanishes for up to 40 steps; at times all do.
        absent = torch.where(random(num_tasks) < 0.01, 40 * random(num_tasks), absent - 1)
        losses[absent > 0] = 0
        burst = int(5 * random(1)) + 1 if random(1) < 0.01 else burst - 1
        if burst > 0:
            losses[int(random(1) * num_tasks)] = [torch.nan, torch.inf, -torch.inf][step % 3]
        yield losses


@mp.workdps(40)
def check_run(num_tasks, num_groups, step_size, steps):
    """Take the steps and check each; returns the largest errors, in units of those stated."""
    weighting = GO4Align(num_tasks, num_groups, step_size)
    state, sums, taken = weighting.indicator.accumulated_risk, [mp.mpf(0)] * num_tasks, 0
    worst = {'state': 0.0, 'weights': 0.0}
    for number, losses in enumerate(adversarial_losses(num_tasks, steps, 0)):
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
        given, groups, risks = losses.tolist(), weighting.groups.tolist(), state.tolist()
        assert [group < 0 for group in groups] == losses.eq(0).tolist(), where
        sums = [x + mp.mpf(step_size) * loss for x, loss in zip(sums, given)]
        for risk, exact in zip(risks, sums):
            error = abs(risk - exact) / (STATE_ERROR * taken * exact + SMALLEST)
            worst['state'] = max(worst['state'], float(error))
        if number % max(num_tasks // 3, 1) == 0:
            error = error_of_weights(weights, given, risks, groups)
            worst['weights'] = max(worst['weights'], error)
        assert max(worst.values()) <= 1, f'{worst}, {where}'
    return worst


def check_memory(num_tasks, num_groups, steps):
    """Assert that the steps after the first half leave no objects; returns how many there are."""
    weighting = GO4Align(num_tasks, num_groups)
    for number, losses in enumerate(adversarial_losses(num_tasks, steps, 1)):
        weighting(losses)
        if number == steps // 2:
            gc.collect()
            held = sys.getallocatedblocks()
    gc.collect()
    growth = sys.getallocatedblocks() - held
    assert growth <= MAX_GROWTH, f'{growth} objects more after {steps} steps'
    return growth


@pytest.mark.parametrize(('num_tasks', 'num_groups', 'step_size'), RUNS)
def test_long_run(num_tasks, num_groups, step_size):
    worst = check_run(num_tasks, num_groups, step_size, STEPS)
    print('errors over those stated:', worst, check_memory(num_tasks, num_groups, STEPS), 'objects')
