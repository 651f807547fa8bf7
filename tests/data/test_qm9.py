"""QM9's files: they agree with each other, and broken ones are named; none of them runs code."""

import os
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.molecules import find_problems
from go4align_plugins.data.qm9 import check, read_qm9

from .molecule_files import molecules, write_geometric, write_npz, write_sdf

GEOMETRIC = ('raw/qm9_v3.pt', 'processed/data_v3.pt')
SAFE_CLASSES = hasattr(torch.serialization, 'add_safe_globals')
CUT = '(the end of the file)'
MEMBERS = ('ids', 'Z', 'pos', 'ptr', 'y', 'target_names')
WHOLE = ([], {'train': 8, 'val': 2, 'test': 2})


def assert_named(folder, name, message):
    """Refused by the reader and the checker, in the same words, which begin with the file."""
    with pytest.raises(ValueError, match=message) as caught:
        read_qm9(folder)
    assert str(caught.value).startswith(str(folder / name))
    assert check(folder) == ([str(caught.value)], {})


@pytest.mark.parametrize('folder', ['', 'raw'])
def test_raw_files_by_hand(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r'prepare_data\.py download qm9'):
        read_qm9(tmp_path)
    write_sdf(tmp_path / folder)
    assert check(tmp_path) == WHOLE
    found = read_qm9(tmp_path)
    assert list(found.names) == [name for name, *_ in molecules()]
    # Column t of the table holds t + 0.2: mu is column 3, homo 5 and u0_atom 15.
    values = dict(zip(get_benchmark('qm9').task_names, found.targets[1]))
    expected = {'mu': 3.2, 'homo': 5.2 * 27211.386, 'u0': 15.2 * 43.36414, 'cv': 14.2}
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert len(values) == 11


@pytest.mark.parametrize('name', GEOMETRIC)
def test_geometrics_files_agree_with_the_raw_ones(tmp_path, name):
    pytest.importorskip('torch_geometric', reason='needs the extra qm9')
    write_geometric(tmp_path / 'pyg', name)
    if 'data_v3' in name and not SAFE_CLASSES:
        assert_named(tmp_path / 'pyg', name, r'cannot read this file safely; 2\.4 can')
        return
    raw, other = read_qm9(write_sdf(tmp_path / 'sdf')), read_qm9(tmp_path / 'pyg')
    assert list(other.names) == list(raw.names)
    np.testing.assert_allclose(other.targets, raw.targets, rtol=1e-6)
    for index in range(len(raw)):
        for one, two in zip(raw.graph(index), other.graph(index)):
            np.testing.assert_array_equal(one, two)


def test_npz_has_the_same_distances_but_no_bonds(tmp_path):
    smiles = np.array(['C', 'C#C', 'N', 'O'] * 3)
    raw, other = read_qm9(write_sdf(tmp_path / 'sdf')), read_qm9(write_npz(tmp_path, smiles=smiles))
    assert other.names == smiles.tolist()
    np.testing.assert_allclose(other.targets, raw.targets)
    for index in range(len(raw)):
        (_, pairs, features), (atoms, same, lone) = raw.graph(index), other.graph(index)
        np.testing.assert_array_equal(same, pairs)
        np.testing.assert_array_equal(lone[:, 4], features[:, 4])
        assert not lone[:, :4].any()
        assert not atoms[:, 6:].any()


@pytest.mark.parametrize(('folder', 'dtype'), [('', torch.int64), ('processed', torch.float32)])
def test_libmtls_order_decides_the_split(tmp_path, folder, dtype):
    order = torch.tensor([7, 2, 11, 0, 1, 3, 4, 5, 6, 8, 9, 10], dtype=dtype)
    (tmp_path / folder).mkdir(exist_ok=True)
    torch.save(order, write_sdf(tmp_path) / folder / 'random_split.t')
    splits = {name: part.tolist() for name, part in read_qm9(tmp_path).splits.items()}
    assert splits == {'test': [2, 7], 'val': [0, 11], 'train': [1, 3, 4, 5, 6, 8, 9, 10]}
    assert check(tmp_path) == WHOLE


def test_files_that_a_spreadsheet_has_saved(tmp_path):
    """A byte order mark, Windows' line ends, empty rows and columns."""
    write_sdf(tmp_path)
    structures, table = tmp_path / 'gdb9.sdf', tmp_path / 'gdb9.sdf.csv'
    structures.write_bytes(b'\xef\xbb\xbf' + structures.read_bytes())
    lines = [*table.read_text().splitlines(), ',,,', '']
    table.write_text('\ufeff' + '\r\n'.join(f'{line},,' for line in lines), encoding='utf-8')
    other = read_qm9(write_sdf(tmp_path / 'other'))
    np.testing.assert_array_equal(read_qm9(tmp_path).targets, other.targets)


@pytest.mark.parametrize(
    ('name', 'old', 'new', 'message'),
    [
        ('gdb9.sdf', '  5  4  0', '  0  0  0', 'Found in gdb_1: 0 atoms and 0 bonds'),
        ('gdb9.sdf', ' C  ', ' Si ', 'H, C, N, O and F in V2000 form. Found in gdb_1'),
        ('gdb9.sdf', '    1.0000', '       nan', 'finite positions, .* Found .* in gdb_1'),
        ('gdb9.sdf', '    1.0000', '     1e+30', 'of at most 1e\\+18 angstrom. Found .* in gdb_1'),
        ('gdb9.sdf', 'gdb_6', CUT, 'the 12 molecules .* Found None as number 6 in place of gdb_6'),
        ('gdb9.sdf', '  1  2  1', '  1  9  1', 'between two of a molecule.s atoms'),
        ('gdb9.sdf', '  1  2  1', '  1  2  7', 'a bond of type 7'),
        ('gdb9.sdf', '  5  4  0', '  9  9  0', 'lines for 9 atoms and 9 bonds'),
        ('gdb9.sdf', '$$$$\n', '$$$$\n$$$$\n', 'Found  as number 2 in place of gdb_2'),
        ('gdb9.sdf.csv', 'gdb_3', 'gdb_4', 'Found gdb_3 as number 3 in place of gdb_4'),
        ('gdb9.sdf.csv', ',cv,', ',cx,', 'Missing: cv'),
        ('gdb9.sdf.csv', '15.1', 'much', 'a number for every target. Found in gdb_1'),
        ('gdb9.sdf.csv', '15.1', 'inf', 'finite targets'),
    ],
)
def test_broken_raw_files_are_named(tmp_path, name, old, new, message):
    path = write_sdf(tmp_path) / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1).partition(CUT)[0])
    assert_named(tmp_path, 'gdb9.sdf', message)


@pytest.mark.parametrize(
    ('name', 'array', 'message'),
    [
        ('Z', np.full(54, 14, np.uint8), 'Found 14 in 1'),
        ('Z', np.full(54, 262), 'Found 255 in 1'),
        ('Z', np.full((54, 1), 6), 'should hold the arrays'),
        ('Z', np.full(54, 'C'), 'should hold the arrays'),
        ('y', np.zeros(12), 'should hold the arrays'),
        ('ptr', np.zeros((13, 1)), r'should have first_atom of shape \(13,\)'),
        ('ptr', np.arange(13), 'the atoms of every molecule, in their order'),
        ('pos', np.zeros((3, 3)), r'should have atoms of shape \(3, 11\).* Found \(54, 11\)'),
        ('target_names', np.array(['mu']), "Found: 'alpha'"),
        ('smiles', np.array([object()] * 12), 'Found: Python objects, which can run code'),
        ('ids', np.ones(12, int), 'There should be molecules for three'),
        *((name, b'no array', 'should hold the arrays') for name in MEMBERS),
        *((name, (b')', b'('), 'should hold the arrays') for name in MEMBERS),
        *((name, (b"': (", b"': (99999999999999"), 'should hold the arrays') for name in MEMBERS),
    ],
)
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_broken_arrays_are_named(tmp_path, name, array, message):
    path = write_npz(tmp_path, **{name: array} if isinstance(array, np.ndarray) else {})
    path /= 'molecules.npz'
    if not isinstance(array, np.ndarray):  # a member that is none
        with zipfile.ZipFile(path, 'a') as file:  # in place of the one before
            member = file.read(f'{name}.npy')
            member = array if isinstance(array, bytes) else member.replace(*array, 1)
            file.writestr(f'{name}.npy', member)
    assert_named(tmp_path, path.name, message)
    path.write_bytes(path.read_bytes()[:900])
    assert_named(tmp_path, path.name, 'should hold the arrays')


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('first_bond', lambda array: array * 2**32, 'the bonds of every molecule, in their order'),
        ('first_bond', lambda array: array + 1, 'Found bonds 1 to 85, and 84 bonds'),
        ('bond_types', lambda array: array + 3, 'bonds of type 0 to 3. Found 5'),
        ('bonds', lambda array: array.astype(float), r'bonds of shape \(2, 84\), whole numbers'),
        ('atoms', lambda array: array[:, 1:], r'atoms of shape \(54, 11\).* Found \(54, 10\)'),
        ('targets', lambda array: array[1:], r'targets of shape \(12, 11\), real numbers'),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_named(tmp_path, name, change, message):
    molecules = read_qm9(write_sdf(tmp_path))
    (problem,) = find_problems(replace(molecules, **{name: change(getattr(molecules, name))}))
    assert re.search(message, problem)


@pytest.mark.parametrize('content', [[], {}, [{'x': 1}], 'text', b'q\xfb~q\xfb~', b'', None])
@pytest.mark.parametrize('name', ['qm9_v3.pt', 'data_v3.pt'])
def test_other_tensor_files_are_named_and_run_no_code(tmp_path, name, content):
    pytest.importorskip('torch_geometric', reason='needs the extra qm9')

    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / 'attacked'),))

    torch.save([Attack()] if content is None else content, tmp_path / name)
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    assert_named(tmp_path, name, "should be PyTorch Geometric's QM9, tensors that need no code")
    assert not (tmp_path / 'attacked').exists()


@pytest.mark.parametrize('name', ['qm9_v3.pt', 'random_split.t'])
def test_a_flipped_bit_is_found_by_the_checksums(tmp_path, name):
    path = write_npz(tmp_path) / name
    if name == 'random_split.t':
        torch.save(torch.arange(12).flip(0), path)
    else:
        pytest.importorskip('torch_geometric', reason='needs the extra qm9')
        write_geometric(tmp_path, name)
    read_qm9(tmp_path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        data = next(file.read(each) for each in file.namelist() if '/data/' in each)
    content[content.index(data)] ^= 1
    path.write_bytes(content)
    assert_named(tmp_path, name, 'should be .* Found: a wrong checksum of')


@pytest.mark.parametrize(
    'content', [torch.arange(11), torch.arange(13), torch.zeros(12), torch.tensor(3), [1], b'no']
)
def test_a_broken_order_is_named(tmp_path, content):
    path = write_sdf(tmp_path) / 'random_split.t'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert_named(tmp_path, path.name, "LibMTL's order of the 12 molecules. Found")


def test_uncharacterized_molecules_are_left_out(tmp_path):
    write_sdf(tmp_path, excluded=(2, 5))
    path = tmp_path / 'uncharacterized.txt'
    path.write_bytes(b'\xe9\n' + path.read_bytes())  # its comments may have any encoding
    found = read_qm9(tmp_path)
    assert len(found) == 10
    assert not {'gdb_2', 'gdb_5'} & set(found.names)
    assert found.targets[1] == pytest.approx(read_qm9(write_sdf(tmp_path / 'all')).targets[2])
    path.write_text(path.read_text(encoding='latin-1').rpartition('       5')[0])
    assert_named(tmp_path, path.name, 'to its end. Found 1.*Download it')
