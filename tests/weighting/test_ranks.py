"""Several ranks: the same weights and state everywhere, by the mean of their losses."""

import subprocess
import sys

import pytest
import torch
from torch import distributed

from go4align_plugins import GO4Align

from .. import ROOT

WORKER = """
import sys, torch
from torch import distributed
from go4align_plugins import GO4Align

rank, store, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
losses = torch.load(f'{out}.losses')
weighting = GO4Align(3, step_size=0.1)
weights = [weighting(step[rank]) for step in losses]
try:
    weighting(torch.tensor([1.0, -1.0 if rank else 9.0, 1.0]))
    error = ''
except ValueError as found:
    error = str(found)
torch.save({'weights': weights, 'state': weighting.state_dict(), 'error': error}, f'{out}.{rank}')
# Left to the end of the process, gloo's threads sometimes abort it.
distributed.barrier()
distributed.destroy_process_group()
"""


@pytest.mark.integration
@pytest.mark.skipif(not distributed.is_available(), reason='torch was built without distributed')
def test_two_ranks_hold_the_same_weights_and_state(tmp_path):
    losses = torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(0)) + 0.1
    losses[2, 0, 1] = float('nan')
    losses[4, 1, 2] = 0
    torch.save(losses, tmp_path / 'run.losses')
    command = [sys.executable, '-c', WORKER]
    paths = [tmp_path / 'store', tmp_path / 'run']
    ranks = [subprocess.Popen([*command, str(rank), *paths], cwd=ROOT) for rank in range(2)]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    first, second = (torch.load(tmp_path / f'run.{rank}') for rank in range(2))
    reference = GO4Align(3, step_size=0.1)
    for step, left, right in zip(losses.double(), first['weights'], second['weights']):
        assert torch.equal(left, right)
        torch.testing.assert_close(left, reference(step.mean(0)).float())
    for name, value in first['state'].items():
        assert torch.equal(value, second['state'][name])
    # One rank's negative loss stops both: none is left waiting for the other.
    for rank in (first, second):
        assert 'of task `1`' in rank['error']
