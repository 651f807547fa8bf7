"""The fault scripts run; all of them, and more often, by `make faults`."""

from __future__ import annotations

import pytest

pytest.importorskip('mpmath', reason='mpmath is not installed')

from . import kill, long_run


@pytest.mark.integration
def test_data_preparation_that_is_killed_once_ends_as_undisturbed(works, tmp_path, capsys):
    kill.kill(works['data'], tmp_path, times=1)
    assert capsys.readouterr().out.startswith('1 kills in ')


@pytest.mark.parametrize(
    ('num_tasks', 'step_size', 'steps'), [(3, 1e-4, 1000), (3, 1e-34, 1000), (11, 1e-34, 200)]
)
def test_adversarial_losses_leave_everything_finite_and_exact(num_tasks, step_size, steps):
    long_run.check_run(num_tasks, 2 if num_tasks == 3 else 5, step_size, steps)


@pytest.mark.integration
def test_memory_is_constant():
    long_run.check_memory(3, 2, steps=20_000)
