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
from ..stores import BEFORE

pytestmark = pytest.mark.integration

SETTINGS = ('--epochs', '2', '--batch-size', '4', '--tasks', 'segmentation', 'depth')


@pytest.fixture(scope='module')
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rooms')
    render_dataset('rooms', folder, size=(32, 48), num_frames={'train': 8, 'val': 4}, workers=1)
    return folder


@pytest.fixture(scope='module')
def words(rooms):
    """The command line that trains methods."""
    base = ['run', '--benchmark', 'rooms', '--data', str(rooms), '--workers', '2']
    return lambda out, *methods, settings=SETTINGS: [
        *base, '--out', str(out), '--methods', *methods, *settings,
    ]  # fmt: skip


def entries(folder):
    return Store(folder / RESULTS).entries()


def figures(folder, *names):
    """All that a report reads but for the time."""
    found = entries(folder)
    epochs = {name: found[name].epochs for name in names or found}
    return {name: [{**epoch, 'seconds': None} for epoch in own] for name, own in epochs.items()}


@pytest.fixture(scope='module')
def undisturbed(words, tmp_path_factory):
    out = tmp_path_factory.mktemp('boards') / 'undisturbed'
    assert main(words(out, 'EW', 'GO4Align')) == 0
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


def test_a_method_is_added_to_an_earlier_board(rooms, tmp_path, capsys):
    board = shutil.copytree(BEFORE, tmp_path / 'board')
    assert main(['run', '--out', str(board), '--data', str(rooms), '--methods', 'DWA']) == 0
    after, before = ((folder / RESULTS).read_bytes() for folder in (board, BEFORE))
    assert after.startswith(before)
    assert after.count(b'\n') == before.count(b'\n') + 1
    assert main(['report', str(board)]) == 0
    assert '\nDWA ' in capsys.readouterr().out


def test_killed_leaderboard_ends_as_an_undisturbed_one(words, undisturbed, tmp_path):
    out = tmp_path / 'killed'
    command = [sys.executable, TOOLS / 'leaderboard.py', *words(out, 'EW', 'GO4Align')]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not [*out.glob('runs/*/metrics.jsonl')] and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(random.uniform(0, 1))
    process.kill()
    process.wait()
    # Its cells end with it; those that do not at once are waited for.
    assert main(words(out, 'EW', 'GO4Align')) == 0
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


def test_a_full_disk_fails_no_cell(words, undisturbed, tmp_path, capsys):
    part = tmp_path / 'runs/EW-0/last.pt.part'
    part.parent.mkdir(parents=True)
    part.symlink_to('/dev/full')
    assert main(words(tmp_path, 'EW')) == 2
    assert 'Make room' in capsys.readouterr().err
    assert entries(tmp_path) == {}
    assert main(words(tmp_path, 'EW')) == 0
    assert figures(tmp_path) == figures(undisturbed, 'EW-0')


def test_a_run_folder_that_cannot_be_read_fails_its_cell_alone(words, undisturbed, tmp_path):
    out = shutil.copytree(undisturbed, tmp_path / 'broken')
    for name in (RESULTS, 'plan.yaml'):
        (out / name).unlink()
    (out / 'runs/EW-0/metrics.jsonl').write_text('{"epoch": 0}\n[1]\n')
    (out / 'runs/GO4Align-0/usage.json').write_text('[7')
    assert main(words(out, 'EW', 'GO4Align')) == 1
    found = entries(out)
    assert 'metrics.jsonl, line 2: should be the entry of epoch 1' in found['EW-0'].reason
    assert found['GO4Align-0'].finished
    assert figures(out, 'GO4Align-0') == figures(undisturbed, 'GO4Align-0')


def test_failures_are_stored_and_tried_again_when_asked(words, rooms, tmp_path, capsys):
    wild = (*SETTINGS, '--lr', '1e30')
    assert main(words(tmp_path, 'EW', 'GO4Align:num_groups=2', settings=wild)) == 1
    assert [entry.status for entry in entries(tmp_path).values()] == ['failed', 'failed']
    assert all('diverged' in entry.reason for entry in entries(tmp_path).values())
    printed = capsys.readouterr().out
    assert '0 of 2 cells are finished, 2 failed' in printed
    assert f'{tmp_path}/logs/EW-0.log' in printed
    before = (tmp_path / RESULTS).read_bytes()
    assert main(['run', '--out', str(tmp_path)]) == 1
    assert (tmp_path / RESULTS).read_bytes() == before
    hidden = rooms / 'train/depth/0.npy'
    gone = hidden.rename(hidden.with_suffix('.gone'))
    assert main(['run', '--out', str(tmp_path), '--retry']) == 1
    gone.rename(hidden)
    assert all('missing: 0' in entry.reason for entry in entries(tmp_path).values())
    assert (tmp_path / 'runs/EW-0.diverged-1').exists()


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
def test_what_cannot_be_is_refused_before_training(words, tmp_path, capsys, extra, message):
    assert main([*words(tmp_path, 'EW', settings=()), *extra]) == 2
    assert re.match(f'leaderboard.py: error: .*{message}', capsys.readouterr().err)
    assert not (tmp_path / 'plan.yaml').exists()


def test_results_of_two_machines_are_joined(undisturbed, tmp_path, capsys):
    exported, first = tmp_path / 'exported.jsonl', entries(undisturbed)['EW-0']
    assert main(['export', str(undisturbed), '--out', str(exported)]) == 0
    save_plan(replace(load_plan(undisturbed), methods='EW'), tmp_path / 'plan.yaml')
    Store(tmp_path / RESULTS).append(first)
    assert main(['import', str(tmp_path), str(exported)]) == 0
    assert figures(tmp_path) == figures(undisturbed)
    capsys.readouterr()
    assert main(['status', str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert 'GO4Align-0' in printed
    assert 'not finished' not in printed
    # Of another protocol, nothing is added.
    exported.write_bytes(replace(first, config={**first.config, 'batch_size': 5}).line)
    before = (tmp_path / RESULTS).read_bytes()
    assert main(['import', str(tmp_path), str(exported)]) == 2
    assert 'share their batch_size' in capsys.readouterr().err
    assert (tmp_path / RESULTS).read_bytes() == before


def test_cells_are_jobs_of_a_cluster(words, undisturbed, tmp_path):
    pytest.importorskip('submitit', reason='submitit is not installed')
    settings = (*SETTINGS, '--cluster', 'local', '--cluster-options', 'timeout_min=5')
    assert main(words(tmp_path, 'EW', settings=settings)) == 0
    assert figures(tmp_path) == figures(undisturbed, 'EW-0')
    assert json.loads((tmp_path / 'submitted.json').read_text()) == {}
