"""Files of frames that are damaged, and folders that are half prepared."""

import json
from pathlib import Path

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder, check, repair
from go4align_plugins.utils.files import DataError

from .layout_files import truncate

ROOMS = get_benchmark('rooms')


def cut_header(path):
    path.write_bytes(path.read_bytes()[:40])


def damage_header(path):
    path.write_bytes(path.read_bytes().replace(b'}', b'\xb1', 1))


def empty(path):
    path.write_bytes(b'')


def pickled(path):
    np.save(path, np.array([{'a': 1}], dtype=object), allow_pickle=True)


def archive(path):
    with path.open('wb') as file:
        np.savez(file, np.zeros(3))


def half_an_archive(path):
    archive(path)
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    'spoil',
    [truncate, cut_header, damage_header, empty, pickled, archive, half_an_archive, Path.unlink],
)
def test_an_unreadable_file_is_named(root, spoil):
    frames = FrameFolder(root, ROOMS, 'train')
    path = root / 'train' / 'depth' / '2.npy'
    spoil(path)
    with pytest.raises(ValueError, match=r'depth.2\.npy: should be a (whole )?\.npy file'):
        frames.read(2)
    problems = check(root, ROOMS, progress=False)
    assert len(problems) == 1
    assert 'depth' in problems[0]


def test_an_interrupted_preparation_is_seen(root):
    description = {'num_frames': {'train': 5, 'val': 2}}
    (root / 'dataset.json').write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r'missing: 3, 4.*run the same command again'):
        FrameFolder(root, ROOMS, 'train')
    assert len(FrameFolder(root, ROOMS, 'val')) == 2
    (root / 'dataset.json').write_text('{"num_')
    with pytest.raises(ValueError, match=r'dataset\.json: should be a JSON object.*as it was, or'):
        FrameFolder(root, ROOMS, 'train')


def test_a_description_may_have_been_edited(root):
    text = json.dumps({'num_frames': {'train': 3, 'val': 2}})
    (root / 'dataset.json').write_text(text, encoding='utf-8-sig')
    assert check(root, ROOMS, progress=False) == []


@pytest.mark.parametrize('prepared', [False, True])
def test_a_damaged_frame_says_how_to_get_it_again(root, prepared):
    if prepared:
        (root / 'dataset.json').write_text('{}')
    (root / 'train/depth/1.npy').write_bytes(b'')
    advice = 'prepare the data again' if prepared else 'get the data again'
    with pytest.raises(DataError, match=rf'1\.npy: should be .*\. Delete it and {advice}'):
        FrameFolder(root, ROOMS, 'train').read(1)
    assert repair(root, get_benchmark('nyuv2')).endswith('download nyuv2.') != prepared


@pytest.mark.parametrize(
    'text', ['[]', '{"num_frames": []}', '{"num_frames": {"train": null}}', '[' * 10**5]
)
def test_other_descriptions_are_named(root, text):
    (root / 'dataset.json').write_text(text)
    with pytest.raises(ValueError, match=r'dataset\.json: should be a JSON object'):
        FrameFolder(root, ROOMS, 'train')
