"""Leaderboards that train: killed, failed, joined, gone on with."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest

pytest.importorskip(
    'go4align_plugins.libmtl', reason='LibMTL is not installed', exc_type=ImportError
)

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.execute import Execution
from go4align_plugins.leaderboard.run.launchers import LocalLauncher
from go4align_plugins.leaderboard.run.plan import load_plan, save_plan
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


def figures(folder, *names):
    """All that a report reads but for the time."""
    found = entries(folder)
    return {
        name: [{**epoch, 'seconds': None} for epoch in found[name].epochs]
        for name in names or found
    }


@pytest.fixture(scope='module')
def undisturbed(rooms, tmp_path_factory):
    out = tmp_path_factory.mktemp('boards') / 'undisturbed'
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 0
    return out


def test_a_method_added_later_runs_alone(undisturbed, capfd):
    before = (undisturbed / RESULTS).read_bytes()
    # The rest of the plan need not be given again.
    assert main(['run', '--out', str(undisturbed), '--methods', 'UW']) == 0
    after = (undisturbed / RESULTS).read_bytes()
    assert after.startswith(before)
    assert 'EW-0' not in capfd.readouterr().err
    assert main(['run', '--out', str(undisturbed)]) == 0
    assert (undisturbed / RESULTS).read_bytes() == after
    found = entries(undisturbed)
    assert sorted(found) == ['EW-0', 'GO4Align-0', 'UW-0']
    for entry in found.values():
        assert entry.finished
        assert min(entry.seconds, entry.peak_memory - 2**20) > 0
        assert len(entry.epochs) == 2
        assert {'versions', 'commit', 'seed', 'weighting'} <= {*entry.config}
        assert (undisturbed / entry.log).exists()


def test_killed_leaderboard_ends_as_an_undisturbed_one(rooms, undisturbed, tmp_path):
    out = tmp_path / 'killed'
    command = [sys.executable, TOOLS / 'leaderboard.py', *words(rooms, out, 'EW', 'GO4Align')]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not [*out.glob('runs/*/metrics.jsonl')] and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(random.uniform(0, 1))
    process.kill()
    process.wait()
    # Its cells end with it; those that do not at once are waited for.
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 0
    assert figures(out) == figures(undisturbed, 'EW-0', 'GO4Align-0')


class Killing(LocalLauncher):
    """Kills the first ones that it starts."""

    def __init__(self, times):
        super().__init__()
        self.times = iter(range(times))

    def start(self, *arguments):
        job = super().start(*arguments)
        if next(self.times, None) is not None:
            job.kill()
        return job


def test_killed_cell_goes_on_and_is_then_left(undisturbed, tmp_path):
    plan = replace(load_plan(undisturbed), methods='EW')
    for times, name, finished in ((9, 'left', []), (2, 'again', ['EW-0'])):
        Execution(plan, tmp_path / name, Killing(times)).run(plan.cells())
        assert [*entries(tmp_path / name)] == finished
    assert figures(tmp_path / 'again') == figures(undisturbed, 'EW-0')


def test_a_full_disk_fails_no_cell(rooms, undisturbed, tmp_path, capsys):
    out = tmp_path / 'full'
    part = out / 'runs/EW-0/last.pt.part'
    part.parent.mkdir(parents=True)
    part.symlink_to('/dev/full')
    assert main(words(rooms, out, 'EW')) == 2
    assert 'Make room' in capsys.readouterr().err
    assert entries(out) == {}
    assert main(words(rooms, out, 'EW')) == 0
    assert figures(out) == figures(undisturbed, 'EW-0')


def test_a_run_folder_that_cannot_be_read_fails_its_cell_alone(rooms, undisturbed, tmp_path):
    out = shutil.copytree(undisturbed, tmp_path / 'broken')
    (out / RESULTS).unlink()
    (out / 'plan.yaml').unlink()
    (out / 'runs/EW-0/metrics.jsonl').write_text('{"epoch": 0}\n[1]\n')
    (out / 'runs/GO4Align-0/usage.json').write_text('[7')
    assert main(words(rooms, out, 'EW', 'GO4Align')) == 1
    found = entries(out)
    assert 'metrics.jsonl, line 2: should be the entry of epoch 1' in found['EW-0'].reason
    assert found['GO4Align-0'].finished
    assert figures(out, 'GO4Align-0') == figures(undisturbed, 'GO4Align-0')


def test_failures_are_stored_and_tried_again_when_asked(rooms, tmp_path, capsys):
    out = tmp_path / 'failing'
    wild = (*SETTINGS, '--lr', '1e30')
    assert main(words(rooms, out, 'EW', 'GO4Align:num_groups=2', settings=wild)) == 1
    assert [entry.status for entry in entries(out).values()] == ['failed', 'failed']
    assert all('diverged' in entry.reason for entry in entries(out).values())
    printed = capsys.readouterr().out
    assert '0 of 2 cells are finished, 2 failed' in printed
    assert f'{out}/logs/EW-0.log' in printed
    before = (out / RESULTS).read_bytes()
    assert main(['run', '--out', str(out)]) == 1
    assert (out / RESULTS).read_bytes() == before
    hidden = rooms / 'train/depth/0.npy'
    gone = hidden.rename(hidden.with_suffix('.gone'))
    assert main(['run', '--out', str(out), '--retry']) == 1
    gone.rename(hidden)
    assert all('missing: 0' in entry.reason for entry in entries(out).values())
    assert (out / 'runs/EW-0.diverged-1').exists()


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['--methods', 'EV'], 'Method EV: .*EV'),
        (['--methods', 'CAGrad:colour=1'], 'Method CAGrad:colour=1: .*colour'),
        (['--workers', '0'], 'Parameter `workers` should be at least 1'),
        (['--cluster-options', 'mem_gb=1'], 'Parameter `cluster`'),
        (['--benchmark', 'qm9', '--framework', 'mmseg'], 'mmseg'),
        (['--out', '/proc/leaderboard'], '/proc/leaderboard'),
    ],
)
def test_what_cannot_be_is_refused_before_training(rooms, tmp_path, capsys, extra, message):
    out = tmp_path / 'refused'
    assert main([*words(rooms, out, 'EW', settings=()), *extra]) == 2
    error = capsys.readouterr().err
    assert error.startswith('leaderboard.py: error: ')
    assert re.search(message, error)
    assert not (out / 'plan.yaml').exists()


def test_results_of_two_machines_are_joined(undisturbed, tmp_path, capsys):
    exported, here = tmp_path / 'exported.jsonl', tmp_path / 'here'
    assert main(['export', str(undisturbed), '--out', str(exported)]) == 0
    here.mkdir()
    save_plan(replace(load_plan(undisturbed), methods='EW'), here / 'plan.yaml')
    first = entries(undisturbed)['EW-0']
    Store(here / RESULTS).append(first)
    assert main(['import', str(here), str(exported)]) == 0
    assert figures(here) == figures(undisturbed)
    capsys.readouterr()
    assert main(['status', str(here)]) == 0
    printed = capsys.readouterr().out
    assert 'GO4Align-0' in printed
    assert 'not finished' not in printed
    # Of another protocol, nothing is added.
    exported.write_bytes(replace(first, config={**first.config, 'batch_size': 5}).line)
    before = (here / RESULTS).read_bytes()
    assert main(['import', str(here), str(exported)]) == 2
    assert 'share their batch_size' in capsys.readouterr().err
    assert (here / RESULTS).read_bytes() == before


def test_cells_are_jobs_of_a_cluster(rooms, undisturbed, tmp_path):
    pytest.importorskip('submitit', reason='submitit is not installed')
    out = tmp_path / 'cluster'
    settings = (*SETTINGS, '--cluster', 'local', '--cluster-options', 'timeout_min=5')
    assert main(words(rooms, out, 'EW', settings=settings)) == 0
    assert figures(out) == figures(undisturbed, 'EW-0')
    assert json.loads((out / 'submitted.json').read_text()) == {}
