"""Leaderboards that train: killed, failed, joined, gone on with."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

pytest.importorskip(
    'go4align_plugins.libmtl', reason='LibMTL is not installed', exc_type=ImportError
)

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.report.sources import load_results
from go4align_plugins.leaderboard.run.execute import Execution
from go4align_plugins.leaderboard.run.plan import Method, Plan
from go4align_plugins.leaderboard.run.processes import LocalLauncher
from go4align_plugins.leaderboard.run.store import RESULTS, Store

from ... import ROOT, TOOLS

pytestmark = pytest.mark.integration

SETTINGS = ('--epochs', '2', '--batch-size', '4', '--tasks', 'segmentation', 'depth')


@pytest.fixture(scope='module')
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rooms')
    render_dataset('rooms', folder, size=(32, 48), num_frames={'train': 8, 'val': 4}, workers=1)
    return folder


def words(rooms, out, *methods, settings=SETTINGS):
    return [
        'run', '--benchmark', 'rooms', '--data', str(rooms), '--out', str(out), '--workers', '2',
        '--methods', *methods, *settings,
    ]  # fmt: skip


def entries(folder):
    return Store(folder / RESULTS).entries()


def figures(folder):
    """All that a report reads but for the time."""
    return {
        name: [{**epoch, 'seconds': None} for epoch in entry.epochs]
        for name, entry in entries(folder).items()
    }


@pytest.fixture(scope='module')
def undisturbed(rooms, tmp_path_factory):
    out = tmp_path_factory.mktemp('boards') / 'undisturbed'
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 0
    return out


def test_entries_hold_all_that_a_report_needs(undisturbed):
    found = entries(undisturbed)
    assert sorted(found) == ['EW-0', 'GO4Align-0']
    for entry in found.values():
        assert entry.finished
        assert entry.seconds > 0
        assert entry.peak_memory > 2**20
        assert len(entry.epochs) == 2
        assert {'versions', 'commit', 'seed', 'weighting'} <= {*entry.config}
        assert (undisturbed / entry.log).exists()


def test_a_method_added_later_runs_alone(rooms, undisturbed, capfd):
    before = (undisturbed / RESULTS).read_bytes()
    # What the plan has need not be said again.
    assert main(['run', '--out', str(undisturbed), '--methods', 'UW']) == 0
    assert (undisturbed / RESULTS).read_bytes().startswith(before)
    assert sorted(entries(undisturbed)) == ['EW-0', 'GO4Align-0', 'UW-0']
    assert 'EW-0' not in capfd.readouterr().err
    after = (undisturbed / RESULTS).read_bytes()
    assert main(['run', '--out', str(undisturbed)]) == 0
    assert (undisturbed / RESULTS).read_bytes() == after


def test_killed_leaderboard_ends_as_an_undisturbed_one(rooms, undisturbed, tmp_path):
    out = tmp_path / 'killed'
    command = [sys.executable, str(TOOLS / 'leaderboard.py')]
    command += words(rooms, out, 'EW', 'GO4Align')
    for _ in range(2):
        process = subprocess.Popen(
            command, env={**os.environ, 'PYTHONPATH': str(ROOT)}, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not [*out.glob('runs/*/metrics.jsonl')] and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(random.uniform(0, 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    # Its cells end with it; those that do not at once are waited for.
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 0
    expected = {name: value for name, value in figures(undisturbed).items() if name != 'UW-0'}
    assert figures(out) == expected
    runs, _ = load_results([out])
    assert [run.label for run in runs] == ['EW', 'GO4Align']


class Killing(LocalLauncher):
    """Kills what it starts, the first times."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def start(self, name, command, log):
        job = super().start(name, command, log)
        if self.times > 0:
            self.times -= 1
            os.kill(job.pid, signal.SIGKILL)
        return job


def test_killed_cell_goes_on_and_is_then_left(rooms, undisturbed, tmp_path):
    plan = Plan(
        'libmtl',
        'rooms',
        (Method('EW'),),
        data=str(rooms),
        tasks=('segmentation', 'depth'),
        options=('--epochs', '2', '--batch-size', '4'),
    )
    left = Execution(plan, tmp_path / 'left', Killing(9))
    assert left.run(plan.cells()) == []
    assert left.store.entries() == {}
    again = Execution(plan, tmp_path / 'again', Killing(2))
    assert [entry.finished for entry in again.run(plan.cells())] == [True]
    assert figures(tmp_path / 'again')['EW-0'] == figures(undisturbed)['EW-0']


def test_a_full_disk_fails_no_cell(rooms, undisturbed, tmp_path, capsys):
    out = tmp_path / 'full'
    part = out / 'runs/EW-0/last.pt.part'
    part.parent.mkdir(parents=True)
    part.symlink_to('/dev/full')
    assert main(words(rooms, out, 'EW')) == 2
    assert 'Make room' in capsys.readouterr().err
    assert entries(out) == {}
    assert main(words(rooms, out, 'EW')) == 0
    assert figures(out)['EW-0'] == figures(undisturbed)['EW-0']


def test_a_run_folder_that_cannot_be_read_fails_its_cell_alone(rooms, undisturbed, tmp_path):
    out = tmp_path / 'broken'
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 0
    (out / RESULTS).unlink()
    (out / 'runs/EW-0/metrics.jsonl').write_text('{"epoch": 0}\n[1]\n')
    (out / 'runs/GO4Align-0/usage.json').write_text('[7')
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 1
    found = entries(out)
    assert 'metrics.jsonl, line 2: should be the entry of epoch 1' in found['EW-0'].reason
    assert found['GO4Align-0'].finished
    assert figures(out)['GO4Align-0'] == figures(undisturbed)['GO4Align-0']


def test_failures_are_told_and_stored_and_tried_again(rooms, tmp_path, capsys):
    out = tmp_path / 'failing'
    wild = (*SETTINGS, '--lr', '1e30')
    command = words(rooms, out, 'EW', 'GO4Align:num_groups=2', settings=wild)
    assert main(command) == 1
    found = entries(out)
    assert [entry.status for entry in found.values()] == ['failed', 'failed']
    assert all('diverged' in entry.reason for entry in found.values())
    told = capsys.readouterr().out
    assert '0 of 2 cells are finished, 2 failed' in told
    assert f'{out}/logs/EW-0.log' in told
    size = (out / RESULTS).stat().st_size
    assert main(['run', '--out', str(out)]) == 1
    assert (out / RESULTS).stat().st_size == size
    hidden = rooms / 'train/depth/0.npy'
    hidden.rename(hidden.with_suffix('.gone'))
    try:
        assert main(['run', '--out', str(out), '--retry']) == 1
    finally:
        hidden.with_suffix('.gone').rename(hidden)
    assert all('missing: 0' in entry.reason for entry in entries(out).values())
    assert (out / 'runs/EW-0.diverged-1').exists()


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['--methods', 'EV'], 'Method EV: .*EV'),
        (['--methods', 'CAGrad:colour=1'], 'Method CAGrad:colour=1: .*colour'),
        (['--seed', '3'], 'should leave out .*--seed'),
        (['--workers', '0'], 'Parameter `workers` should be at least 1'),
        (['--cluster-options', 'mem_gb=1'], 'Parameter `cluster`'),
        (['--benchmark', 'qm9', '--framework', 'mmseg'], 'mmseg'),
    ],
)
def test_what_cannot_be_is_refused_before_training(rooms, tmp_path, capsys, extra, message):
    out = tmp_path / 'refused'
    assert main([*words(rooms, out, 'EW', settings=()), *extra]) == 2
    error = capsys.readouterr().err
    assert error.startswith('leaderboard.py: error: ')
    assert re.search(message, error)
    assert not (out / 'plan.yaml').exists()


def test_folder_that_cannot_be_written_is_an_error(rooms, capsys):
    assert main(words(rooms, '/proc/leaderboard', 'EW')) == 2
    assert '/proc/leaderboard' in capsys.readouterr().err


def test_results_of_two_machines_are_joined(undisturbed, rooms, tmp_path, capsys):
    other, exported = tmp_path / 'other', tmp_path / 'other.jsonl'
    assert main(words(rooms, other, 'DWA')) == 0
    assert main(['export', str(other), '--out', str(exported)]) == 0
    here = tmp_path / 'here'
    here.mkdir()
    for name in ('plan.yaml', RESULTS):
        (here / name).write_bytes((undisturbed / name).read_bytes())
    assert main(['import', str(here), str(exported)]) == 0
    assert entries(here)['DWA-0'].finished
    capsys.readouterr()
    assert main(['status', str(here)]) == 0
    told = capsys.readouterr().out
    assert 'DWA-0' in told
    assert 'not finished' not in told
    # Of another protocol, nothing is added.
    entry = asdict(entries(other)['DWA-0'])
    entry['config'] = {**entry['config'], 'batch_size': 5}
    exported.write_text(json.dumps(entry) + '\n')
    before = (here / RESULTS).read_bytes()
    assert main(['import', str(here), str(exported)]) == 2
    assert 'share their batch_size' in capsys.readouterr().err
    assert (here / RESULTS).read_bytes() == before


def test_cells_are_jobs_of_a_cluster(rooms, undisturbed, tmp_path):
    pytest.importorskip('submitit', reason='submitit is not installed')
    out = tmp_path / 'cluster'
    settings = (*SETTINGS, '--cluster', 'local', '--cluster-options', 'timeout_min=5')
    assert main(words(rooms, out, 'EW', settings=settings)) == 0
    assert figures(out)['EW-0'] == figures(undisturbed)['EW-0']
    assert json.loads((out / 'submitted.json').read_text()) == {}
