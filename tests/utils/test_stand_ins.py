"""Text in place of data, as Git and servers leave it: each reader names it, and what to do."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder
from go4align_plugins.data.conversion.nyuv2 import count_frames
from go4align_plugins.data.frame_rules import read_array
from go4align_plugins.data.mtan_layout import read_description
from go4align_plugins.data.pictures import open_picture
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.run.plan import read_plan
from go4align_plugins.utils.files import find_damage, load_tensors

from ..data.celeba_files import write_faces
from ..data.molecule_files import write_sdf

POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n'
PAGES = (
    b'<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>',
    b'\xef\xbb\xbf\r\n  <HTML lang="en">',
    b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
    b'<!-- moved --><html>',
)
TEXTS = [(POINTER, 'a pointer of Git LFS in place of the file; fetch it by `git lfs pull`')]
TEXTS += [(page, 'a web page in place of the file, which begins .*; download it') for page in PAGES]


def read_faces(path):
    return FaceFolder(path.parent, get_benchmark('celeba'))


def read_image(path):
    with open_picture(path) as picture:
        picture.load()


def read_molecules(path):
    return read_qm9(path.parent)


MOLECULES = ('molecules.npz', 'qm9_v3.pt', 'data_v3.pt')
"""Files that hold all of QM9; the others lie beside each other."""
MOLECULE_LISTS = ('gdb9.sdf', 'gdb9.sdf.csv', 'uncharacterized.txt', 'random_split.t')
READERS = {
    **dict.fromkeys((*MOLECULES, *MOLECULE_LISTS), read_molecules),
    **dict.fromkeys(('list_attr_celeba.txt', 'list_eval_partition.txt'), read_faces),
    '0.npy': read_array,
    'image.png': read_image,
    'nyu_depth_v2_labeled.mat': count_frames,
    'dataset.json': lambda path: read_description(path.parent),
    'plan.yaml': read_plan,
    'results.csv': report_of_table,
}


@pytest.mark.parametrize(('content', 'found'), TEXTS)
@pytest.mark.parametrize('name', READERS)
def test_every_reader_names_what_it_found(tmp_path, name, content, found):
    if name.endswith('_v3.pt'):
        pytest.importorskip('torch_geometric', reason='needs the extra qm9')
        found = f"should be PyTorch Geometric's QM9.*{found}"
    if name not in MOLECULES:
        write_faces(tmp_path, (4, 2, 2))
        write_sdf(tmp_path, excluded=(3,))
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=found) as caught:
        READERS[name](path)
    assert str(caught.value).startswith(str(path))


PICKLE = pickle.dumps({'a': [1]})
OTHERS = [b'404: Not Found', b'1.0 2.0\n', bytes(range(200)), PICKLE, b'PK\x03\x04']


@pytest.mark.parametrize('content', [POINTER, *PAGES, *OTHERS, b''])
@pytest.mark.parametrize('read', [read_array, load_tensors])
@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_nobody_is_advised_to_run_what_is_in_a_file(tmp_path, read, content):
    path = tmp_path / 'file'
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read(path)
    said = str(caught.value)
    assert not any(word in said for word in ('pickle', 'weights_only', 'unsafe', 'trust'))
    if content in OTHERS:
        assert repr(content[:16]) in said


def test_objects_that_need_code_are_named(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match='Found: Python objects, which can run code'):
        read_array(tmp_path / 'a.npy')
    torch.save([Fraction(1)], tmp_path / 'a.pt')
    with pytest.raises(ValueError, match=r'which can run code: fractions\.Fraction'):
        load_tensors(tmp_path / 'a.pt')


def test_checkpoints_of_older_torch_have_no_checksums(tmp_path):
    torch.save({'a': 1}, tmp_path / 'a.pt', _use_new_zipfile_serialization=False)
    assert find_damage(tmp_path / 'a.pt', legacy=True) is None
    assert load_tensors(tmp_path / 'a.pt') == {'a': 1}
    assert find_damage(tmp_path / 'a.pt')
