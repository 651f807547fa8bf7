"""The quick form of what `long_run.py` does for 10^5 steps."""

from __future__ import annotations

import pytest

pytest.importorskip('mpmath', reason='mpmath is not installed')

from .long_run import RUNS, check_memory, check_run


@pytest.mark.parametrize(('num_tasks', 'num_groups', 'step_size'), RUNS[:3])
def test_adversarial_losses_leave_everything_finite_and_exact(num_tasks, num_groups, step_size):
    check_run(num_tasks, num_groups, step_size, steps=1000 if num_tasks == 3 else 200)


@pytest.mark.integration
def test_memory_is_constant():
    check_memory(3, 2, steps=10_000)
