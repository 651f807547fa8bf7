"""QM9's tensor files: as the raw ones; broken ones are named, none of them runs code."""

from __future__ import annotations

import os
import struct
import zipfile

import numpy as np
import pytest
import torch

from go4align_plugins.data.qm9 import read_qm9

from .molecule_files import write_geometric, write_npz, write_sdf

pytest.importorskip('torch_geometric', reason='needs the extra qm9')

SAFE_CLASSES = hasattr(torch.serialization, 'add_safe_globals')


def need_safe_classes(name: str) -> None:
    """Skip where the processed file cannot be read."""
    if 'data_v3' in name and not SAFE_CLASSES:
        pytest.skip('this torch cannot be told that the classes in the file are harmless')


@pytest.mark.parametrize('name', ['raw/qm9_v3.pt', 'processed/data_v3.pt'])
def test_geometrics_files_agree_with_the_raw_ones(tmp_path, name):
    need_safe_classes(name)
    raw = read_qm9(write_sdf(tmp_path / 'sdf'))
    other = read_qm9(write_geometric(tmp_path / 'pyg', name))
    assert list(other.names) == list(raw.names)
    np.testing.assert_allclose(other.targets, raw.targets, rtol=1e-6)
    for index in range(len(raw)):
        for one, two in zip(raw.graph(index), other.graph(index)):
            np.testing.assert_array_equal(one, two)


@pytest.mark.skipif(SAFE_CLASSES, reason='this torch can be told that its classes are harmless')
def test_an_older_torch_says_which_release_reads_the_processed_file(tmp_path):
    with pytest.raises(ValueError, match=r'data_v3\.pt: .* cannot read this file safely; 2\.4 can'):
        read_qm9(write_geometric(tmp_path, 'data_v3.pt'))


def test_code_in_a_tensor_file_is_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / 'attacked'),))

    torch.save([Attack()], tmp_path / 'qm9_v3.pt')
    with pytest.raises(ValueError, match=r'qm9_v3.pt: .* need no code to be read'):
        read_qm9(tmp_path)
    assert not (tmp_path / 'attacked').exists()


@pytest.mark.parametrize('content', [[], {}, [{'x': 1}], 'text'])
@pytest.mark.parametrize('name', ['qm9_v3.pt', 'data_v3.pt'])
def test_other_tensor_files_are_named(tmp_path, name, content):
    torch.save(content, tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}: should be PyTorch Geometric's QM9"):
        read_qm9(tmp_path)


@pytest.mark.parametrize('content', [b'q\xfb~q\xfb~', b'\x86\x0b', b'G\x15\xdfK\x03\x16\x02', b''])
@pytest.mark.parametrize('name', ['qm9_v3.pt', 'data_v3.pt'])
def test_damaged_tensor_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: should be PyTorch Geometric's QM9"):
        read_qm9(tmp_path)


@pytest.mark.parametrize('name', ['qm9_v3.pt', 'data_v3.pt', 'random_split.t'])
def test_a_flipped_bit_is_found_by_the_checksums(tmp_path, name):
    write_npz(tmp_path)
    path = tmp_path / name
    if name == 'random_split.t':
        torch.save(torch.arange(12).flip(0), path)
    else:
        need_safe_classes(name)
        write_geometric(tmp_path, name)
    read_qm9(tmp_path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        start = next(each.header_offset for each in file.infolist() if '/data/' in each.filename)
    name_length, padding = struct.unpack_from('<HH', content, start + 26)
    content[start + 30 + name_length + padding] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'{name}: should be .* Found: a wrong checksum of'):
        read_qm9(tmp_path)
