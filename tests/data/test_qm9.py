"""QM9's files: they agree with each other, and broken ones are named."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace as replace_field

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.molecules import find_problems
from go4align_plugins.data.qm9 import check, read_qm9

from .. import SHARED
from .molecule_files import molecules, write_npz, write_sdf

REAL = SHARED / 'data' / 'qm9'


def test_targets_by_hand(tmp_path):
    found = read_qm9(write_sdf(tmp_path)).targets[1]
    # Column t of the table holds t + 0.2: mu is column 3, homo 5 and u0_atom 15.
    tasks = get_benchmark('qm9').task_names
    expected = dict(zip(tasks, found))
    assert expected['mu'] == pytest.approx(3.2)
    assert expected['homo'] == pytest.approx(5.2 * 27211.386, rel=1e-6)
    assert expected['u0'] == pytest.approx(15.2 * 43.36414)
    assert expected['cv'] == pytest.approx(14.2)
    assert len(expected) == 11


@pytest.mark.parametrize('folder', ['', 'raw'])
def test_sdf_in_either_place(tmp_path, folder):
    write_sdf(tmp_path / folder)
    assert list(read_qm9(tmp_path).names) == [name for name, *_ in molecules()]
    problems, lengths = check(tmp_path)
    assert problems == []
    assert lengths == {'train': 8, 'val': 2, 'test': 2}


def test_npz_has_the_same_distances_but_no_bonds(tmp_path):
    raw, other = (read_qm9(w(tmp_path / w.__name__)) for w in (write_sdf, write_npz))
    np.testing.assert_allclose(other.targets, raw.targets)
    for index in range(len(raw)):
        (_, pairs, features), (atoms, same, lone) = raw.graph(index), other.graph(index)
        np.testing.assert_array_equal(same, pairs)
        np.testing.assert_array_equal(lone[:, 4], features[:, 4])
        assert not lone[:, :4].any()
        assert not atoms[:, 6:].any()


def test_smiles_decide_the_split(tmp_path):
    smiles = np.array(['C', 'C#C', 'N', 'O'] * 3)
    found = read_qm9(write_npz(tmp_path, smiles=smiles))
    owners = [{found.names[index] for index in part} for part in found.splits.values()]
    assert sum(map(len, owners)) == 4


@pytest.mark.parametrize('name', ['gdb9.sdf', 'gdb9.sdf.csv'])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path, name):
    path = write_sdf(tmp_path) / name
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert check(tmp_path) == ([], {'train': 8, 'val': 2, 'test': 2})


def test_rows_and_columns_of_a_spreadsheet_that_are_empty_are_passed_over(tmp_path):
    path = write_sdf(tmp_path) / 'gdb9.sdf.csv'
    lines = path.read_text().splitlines()
    path.write_text('\r\n'.join(f'{line},,' for line in [*lines, ',,,', '']))
    np.testing.assert_array_equal(
        read_qm9(tmp_path).targets, read_qm9(write_sdf(tmp_path / 'other')).targets
    )


def test_a_folder_too_high_or_an_archive_is_pointed_out(tmp_path):
    data = tmp_path / 'archive' / 'QM9'
    write_sdf(data / 'raw')
    (data / 'processed').mkdir()
    for root in (data.parent, tmp_path, data / 'processed'):
        (problem,) = check(root)[0]
        assert f'Is it {data} ' in problem or f'Is it {data / "raw"} ' in problem
    assert check(data)[0] == check(data / 'raw')[0] == []
    packed = tmp_path / 'packed' / 'raw' / 'qm9.zip'
    packed.parent.mkdir(parents=True)
    packed.touch()
    assert check(tmp_path / 'packed')[0][0].endswith(f'Unpack {packed} first.')


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ('name', 'old', 'new', 'message'),
    [
        ('gdb9.sdf', '  5  4  0', '  0  0  0', 'Found in gdb_1: 0 atoms and 0 bonds'),
        ('gdb9.sdf', ' C  ', ' Si ', 'H, C, N, O and F in V2000 form. Found in gdb_1'),
        ('gdb9.sdf', '    1.0000', '    1.0x00', 'in V2000 form. Found in gdb_1'),
        ('gdb9.sdf', '    1.0000', '       nan', 'finite positions, .* Found .* in gdb_1'),
        ('gdb9.sdf', '    1.0000', '     1e+30', 'of at most 1e\\+18 angstrom. Found .* in gdb_1'),
        ('gdb9.sdf', '  1  2  1', '  1  9  1', 'between two of a molecule.s atoms'),
        ('gdb9.sdf', '  1  2  1', '  1  2  7', 'a bond of type 7'),
        ('gdb9.sdf', '  5  4  0', '  9  9  0', 'lines for 9 atoms and 9 bonds'),
        ('gdb9.sdf', '$$$$\n', '$$$$\n$$$$\n', 'Found gdb_2 as number 2 in place of'),
        ('gdb9.sdf.csv', 'gdb_3', 'gdb_4', 'Found gdb_4 as number 3 in place of gdb_3'),
        ('gdb9.sdf.csv', ',cv,', ',cx,', 'Missing: cv'),
        ('gdb9.sdf.csv', '15.1', 'much', 'a number for every target. Found in gdb_1'),
        ('gdb9.sdf.csv', '15.1', 'inf', 'finite targets'),
    ],
)
def test_broken_raw_files_are_named(tmp_path, name, old, new, message):
    replace(write_sdf(tmp_path) / name, old, new)
    with pytest.raises(ValueError, match=message) as caught:
        read_qm9(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / 'gdb9.sdf'))
    assert check(tmp_path) == ([str(caught.value)], {})


@pytest.mark.parametrize('kept', [0, 5])
def test_half_of_the_structures_are_named(tmp_path, kept):
    path = write_sdf(tmp_path) / 'gdb9.sdf'
    end = '$$$$\n'
    path.write_text(''.join(part + end for part in path.read_text().split(end)[:kept]))
    with pytest.raises(ValueError, match=f'the 12 molecules of gdb9.sdf.csv. Found {kept}'):
        read_qm9(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'Z': np.full(54, 14, np.uint8)}, 'Found atomic number 14 in 1'),
        ({'Z': np.full(54, 262)}, 'Found atomic number 255 in 1'),
        ({'Z': np.full((54, 1), 6)}, r'for atoms of shape \(54, 1\)'),
        ({'Z': np.full(54, 'C')}, 'should hold the arrays'),
        ({'y': np.full((12, 19), 'much')}, 'should hold the arrays'),
        ({'y': np.zeros(12)}, 'should hold the arrays'),
        ({'ptr': np.zeros((13, 1))}, 'one name, part and row'),
        ({'ptr': np.arange(13)}, 'the atoms of every molecule, in their order'),
        ({'ptr': np.arange(7)}, 'one name, part and row'),
        ({'pos': np.zeros((3, 3))}, 'one position for each atom'),
        ({'target_names': np.array(['mu'])}, "Found: 'alpha'"),
        ({'smiles': np.array([object()] * 12)}, 'Found: Python objects, which can run code'),
    ],
)
def test_broken_arrays_are_named(tmp_path, changes, message):
    write_npz(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        read_qm9(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / 'molecules.npz'))


@pytest.mark.parametrize('name', ['ids', 'Z', 'pos', 'ptr', 'y', 'target_names'])
@pytest.mark.parametrize(
    'change',
    [
        lambda content: b'no array',
        lambda content: content[:6],
        lambda content: content.replace(b')', b'(', 1),
        lambda content: content.replace(b"': (", b"': (99999999999999", 1),
    ],
)
def test_a_member_that_is_no_array_is_named(tmp_path, name, change):
    path = write_npz(tmp_path) / 'molecules.npz'
    with zipfile.ZipFile(path) as file:
        members = {member: file.read(member) for member in file.namelist()}
    with zipfile.ZipFile(path, 'w') as file:
        for member, content in members.items():
            file.writestr(member, change(content) if member == f'{name}.npy' else content)
    with pytest.raises(ValueError, match=r'molecules.npz: should hold the arrays'):
        read_qm9(tmp_path)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('first_bond', lambda array: array * 2**32, 'the bonds of every molecule, in their order'),
        ('first_bond', lambda array: array + 1, 'Found bonds 1 to 85, and 84 bonds'),
        ('first_bond', lambda array: array[::-1], 'Found bonds 84 to 0, and 84 bonds'),
        ('bond_types', lambda array: array + 3, 'bonds of type 0 to 3. Found 5'),
        ('bonds', lambda array: array.astype(float), r'bonds of shape \(2, 84\), whole numbers'),
        ('bonds', lambda array: array[:, 1:], r'Found \(2, 83\) of int64'),
        ('atoms', lambda array: array[:, 1:], r'atoms of shape \(54, 11\).* Found \(54, 10\)'),
        ('positions', lambda array: array[:, 1:], r'positions of shape \(54, 3\), real numbers'),
        ('targets', lambda array: array[1:], r'targets of shape \(12, 11\)'),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_named(tmp_path, name, change, message):
    molecules = read_qm9(write_sdf(tmp_path))
    assert list(find_problems(molecules)) == []
    changed = replace_field(molecules, **{name: change(getattr(molecules, name))})
    (problem,) = find_problems(changed)
    assert re.search(message, problem)


def test_half_an_archive_is_named(tmp_path):
    path = write_npz(tmp_path) / 'molecules.npz'
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match=r'molecules.npz: should hold the arrays'):
        read_qm9(tmp_path)


def test_an_empty_folder_says_what_should_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'prepare_data\.py download qm9'):
        read_qm9(tmp_path)


@pytest.mark.skipif(not REAL.exists(), reason='needs ../shared/data/qm9')
def test_real_molecules():
    found = read_qm9(REAL)
    assert len(found) == 14308
    lengths = np.array([len(part) for part in found.splits.values()])
    assert lengths.sum() == len(found)
    assert (lengths[1:] >= 1431).all()
    owners = [{found.names[index] for index in part} for part in found.splits.values()]
    assert sum(map(len, owners)) == len(set(found.names)) < len(found)
    # A bond is 1 to 1.6 angstrom long: the nearest neighbour of any atom is bonded to it.
    for index in range(0, len(found), 500):
        _, pairs, features = found.graph(index)
        nearest = np.array([features[pairs[0] == atom, 4].min() for atom in np.unique(pairs[0])])
        assert (nearest > 0.9).all()
        assert (nearest < 1.7).all()
    energies = found.targets[:, get_benchmark('qm9').task_names.index('u0')] / 1000
    assert (energies < 0).all()  # eV: it takes energy to take a molecule apart
    assert (energies > -130).all()


def test_molecules_that_cannot_be_split_are_named(tmp_path):
    write_npz(tmp_path, ids=np.ones(12, int))
    with pytest.raises(ValueError, match=r'molecules\.npz: There should be molecules for three'):
        read_qm9(tmp_path)
    assert 'molecules.npz' in check(tmp_path)[0][0]
