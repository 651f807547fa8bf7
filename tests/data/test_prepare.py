"""Data sets are written frame by frame, whole or not at all; the tool makes and checks them."""

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder, check
from go4align_plugins.data.prepare import write_dataset

from .. import ROOT, TOOLS
from .celeba_files import write_faces
from .molecule_files import write_sdf

STREETS = get_benchmark('streets')
TOOL = TOOLS / 'prepare_data.py'
COUNTS = {'train': 3, 'val': 2}


def make_frame(split, index):
    frame = {'image': np.full((4, 6, 3), 0.5), 'segmentation': np.full((4, 6), index)}
    return {**frame, 'depth': np.full((4, 6, 1), (index + 10 * (split == 'val')) / 64)}


def write(root, make=make_frame, counts=COUNTS, **options):
    return write_dataset(root, STREETS, options, counts, make, workers=1, progress=False)


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob('*.*')}


def test_frames_by_hand(tmp_path):
    assert write(tmp_path, seed=3) == 5
    assert np.load(tmp_path / 'val' / 'depth' / '1.npy')[3, 5].tolist() == [11 / 64]
    assert np.load(tmp_path / 'train' / 'label' / '2.npy').tolist() == [[2] * 6] * 4
    described = {'benchmark': 'streets', 'seed': 3, 'num_frames': COUNTS}
    assert json.loads((tmp_path / 'dataset.json').read_text()) == described
    assert check(tmp_path, STREETS, progress=False) == []
    assert len(FrameFolder(tmp_path, STREETS, 'train')) == 3


def test_only_whole_frames_are_kept(tmp_path):
    write(tmp_path)
    before = contents(tmp_path)
    assert write(tmp_path) == 0
    path, kept = (tmp_path / 'train' / 'depth' / name for name in ('1.npy', '0.npy'))
    for size in (0, 60, 200):
        path.write_bytes(path.read_bytes()[:size])
        assert write(tmp_path) == 1
        assert contents(tmp_path) == before
    path.unlink()
    np.save(kept, np.full((4, 6, 1), 77.0))
    assert write(tmp_path) == 1
    assert np.load(kept)[0, 0] == 77


def test_interrupted_at_any_frame(tmp_path):
    write(tmp_path / 'whole')
    for stop in range(5):
        frames = iter(range(stop))

        def interrupted(split, index, frames=frames):
            if next(frames, None) is None:
                raise KeyboardInterrupt
            return make_frame(split, index)

        root = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            write(root, interrupted)
        assert write(root) == 5 - stop
        assert contents(root) == contents(tmp_path / 'whole')


def test_frames_made_otherwise_are_left_alone(tmp_path):
    write(tmp_path, seed=3)
    before = contents(tmp_path)
    for options, message in (
        ({'seed': 4}, r'made with seed = 3 and not 4\. Choose another folder'),
        ({'counts': {'train': 2, 'val': 2}}, r"num_frames = \{'train': 3, 'val': 2\} and not"),
    ):
        with pytest.raises(ValueError, match=message):
            write(tmp_path, **{'seed': 3, **options})
    with pytest.raises(ValueError, match=r'`workers` should be at least 1\. Found `workers = 0`'):
        write_dataset(tmp_path / 'new', STREETS, {}, COUNTS, make_frame, workers=0)
    assert contents(tmp_path) == before
    (tmp_path / 'dataset.json').unlink()
    with pytest.raises(ValueError, match='not made by this tool'):
        write(tmp_path, seed=3)
    del before['dataset.json']
    assert contents(tmp_path) == before


@pytest.fixture
def tool(capsys):
    """Runs the command line in this process: exit code, standard output, standard error."""
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return (exit_.value.code, *capsys.readouterr())

    return call


def test_help_and_downloads(tool):
    out = tool('--help')[1]
    for command in ('rooms', 'streets', 'nyuv2', 'cityscapes', 'check', 'download'):
        assert f'prepare_data.py {command} ' in out
        assert f'{command} [-h]' in tool(command, '--help')[1]
    assert 'nyu_depth_v2_labeled.mat' in tool('download', 'nyuv2')[1]
    assert 'gtFine_trainvaltest.zip' in tool('download', 'cityscapes')[1]


def test_check_on_the_command_line(tool, tmp_path):
    write(tmp_path)
    summary = f'{tmp_path}: problems found in 3 train + 2 val frames: '
    assert tool('check', 'streets', tmp_path)[:2] == (0, f'{summary}none.\n')
    code, out, _ = tool('check', 'cityscapes', tmp_path)
    assert code == 0
    assert 'note: 3 train + 2 val frames; the published CityScapes has 2975 train + 500 val' in out
    bad = tmp_path / 'val' / 'depth' / '1.npy'
    bad.write_bytes(bad.read_bytes()[:-1])
    np.save(tmp_path / 'train' / 'label' / '0.npy', np.full((4, 6), 7))
    code, out, _ = tool('check', 'streets', tmp_path, '--size', 4, 6)
    lines = out.splitlines()
    assert (code, len(lines)) == (1, 4)
    assert 'labels should be whole numbers from -1 (none) to 6. Found 7' in lines[0]
    assert lines[1].startswith(str(bad))
    assert lines[2] == f'{summary}2.'
    assert lines[3].startswith('Delete damaged files and prepare the data again')
    # Nothing is to be deleted that can be mended.
    write(tmp_path / 'other')
    for path in (tmp_path / 'other').glob('*/image/*.npy'):
        np.save(path, np.load(path).transpose(2, 0, 1))
    code, out, _ = tool('check', 'streets', tmp_path / 'other')
    assert (code, len(out.splitlines())) == (1, 6)
    assert out.count('where (H, W, 3) belongs. Mend it: array.transpose(1, 2, 0).') == 5
    assert 'Delete' not in out


def test_chosen_tasks_are_checked_on_the_command_line(tool, tmp_path):
    write(tmp_path)
    shutil.rmtree(tmp_path / 'val' / 'label')
    write_faces(tmp_path, (4, 2, 2))
    assert tool('check', 'streets', tmp_path)[0] == 1
    assert tool('check', 'streets', tmp_path, '--tasks', 'depth')[0] == 0
    assert tool('check', 'celeba', tmp_path, '--tasks', 'Young')[0] == 0
    assert "'Yuong'" in tool('check', 'celeba', tmp_path, '--tasks', 'Yuong')[2]


@pytest.mark.parametrize(
    ('name', 'make', 'part'),
    [
        ('streets', write, 'train'),
        ('celeba', partial(write_faces, counts=(4, 2, 2)), 'img_align_celeba'),
        ('qm9', write_sdf, 'processed'),
        ('qm9', lambda data: write_sdf(data / 'raw'), 'processed'),
    ],
)
def test_a_folder_too_high_or_deep_or_an_archive_is_pointed_out(tool, tmp_path, name, make, part):
    data = tmp_path / 'archive' / 'data'
    make(data)
    (data / part).mkdir(exist_ok=True)
    for root in (tmp_path, data.parent, data / part):
        code, out, _ = tool('check', name, root)
        assert code == 1
        assert re.search(rf'Is it {data}(/raw)? that you mean', out)
        assert 'Delete' not in out
    packed = tmp_path / 'packed' / 'data.zip'
    packed.parent.mkdir()
    packed.touch()
    assert f'Unpack {packed} first.' in tool('check', name, packed.parent)[1]


def test_errors_on_the_command_line(tool, tmp_path):
    for arguments, message in (
        (('rooms', '--size', 2, 2), '`size` should be at least 8 x 8'),
        (('rooms', '--train', 0), '`num_frames` should be at least 1'),
        (('nyuv2', '--mat', tmp_path / 'no.mat'), 'download nyuv2'),
        (('cityscapes', '--root', tmp_path), 'No folder'),
    ):
        code, _, errors = tool(*arguments, '--out', tmp_path / 'out')
        assert code == 2
        assert errors.startswith('error: ')
        assert message in errors


@pytest.mark.integration
@pytest.mark.parametrize('name', ['rooms', 'streets'])
def test_render_on_the_command_line(tool, tmp_path, name):
    small = ('--train', 3, '--val', 1, '--size', 24, 32, '--check')
    code, out, errors = tool(name, '--out', tmp_path / 'two', *small, '--workers', 2)
    assert code == 0, out + errors
    assert 'problems found in 3 train + 1 val frames: none' in out
    assert FrameFolder(tmp_path / 'two', get_benchmark(name), 'val').image_size == (24, 32)
    tool(name, '--out', tmp_path / 'one', *small, '--workers', 1)
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')
    code, _, errors = tool(name, '--out', tmp_path / 'one', *small, '--seed', 1)
    assert code == 2
    assert 'made with seed = 0 and not 1' in errors


@pytest.mark.integration
@pytest.mark.skipif(os.name != 'posix', reason='process groups and SIGKILL')
@pytest.mark.parametrize(
    ('name', 'kill'),
    [('rooms', signal.SIGINT), ('streets', signal.SIGTERM), ('rooms', signal.SIGKILL)],
)
def test_stopped_and_run_again_in_another_process(tool, tmp_path, name, kill):
    arguments = [name, '--train', '20', '--val', '4', '--size', '48', '64', '--workers', '2']
    root = tmp_path / 'stopped'
    process = subprocess.Popen(
        [sys.executable, str(TOOL), *arguments, '--out', str(root)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Where the tests run in the background SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    while process.poll() is None and len(list(root.glob('*/depth/*.npy'))) < 4:
        time.sleep(0.02)
    (os.killpg if kill == signal.SIGINT else os.kill)(process.pid, kill)  # Ctrl-C reaches all
    # The pipe is closed when the last worker has gone too.
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if kill == signal.SIGINT else -kill)
    if kill == signal.SIGINT:
        assert 'the same command again goes on from here' in errors
        assert 'Traceback' not in errors
    assert check(root, get_benchmark(name), progress=False) != []
    for folder in (root, tmp_path / 'whole'):
        assert tool(*arguments, '--out', folder)[0] == 0
    assert contents(root) == contents(tmp_path / 'whole')
