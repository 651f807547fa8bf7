"""The fault scripts run; all of them, and more often, by `make faults`."""

from __future__ import annotations

import pytest

from .kill_training import main


@pytest.mark.integration
def test_data_preparation_that_is_killed_once_ends_as_undisturbed(tmp_path, capsys):
    folder = tmp_path / 'faults'
    assert main(['--only', 'data', '--times', '1', '--folder', str(folder)]) == 0
    said = capsys.readouterr().out
    assert 'pass  data: 1 kills' in said
    assert said.endswith('PASS: 1 of 1 passed\n')
