"""Molecules as graphs, their features and their split; lists of those to leave out."""

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.molecules import all_pairs, atom_features, split
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.data.sdf import read_excluded

from .. import SHARED
from .molecule_files import list_excluded, write_sdf

REAL = SHARED / 'data' / 'qm9'


def by_pair(pairs, features):
    return {tuple(pair): feature.tolist() for pair, feature in zip(pairs.T.tolist(), features)}


def test_graphs_by_hand(tmp_path):
    molecules = read_qm9(write_sdf(tmp_path))
    atoms, pairs, features = molecules.graph(0)
    assert atoms.dtype == features.dtype == np.float32
    # Carbon has the second of the five elements, number 6, and four hydrogens.
    hydrogen = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert atoms.tolist() == [[0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 4], *[hydrogen] * 4]
    assert pairs.shape == (2, 5 * 4)
    assert pairs[:, :5].tolist() == [[0, 0, 0, 0, 1], [1, 2, 3, 4, 0]]
    found = by_pair(pairs, features)
    assert found[0, 4] == found[4, 0] == [1, 0, 0, 0, 5]
    assert found[1, 2] == pytest.approx([0, 0, 0, 0, 2**0.5])
    assert found[1, 4] == pytest.approx([0, 0, 0, 0, 32**0.5])
    # A triple bond; features without bonds; an atom alone.
    atoms, *edges = molecules.graph(1)
    assert atoms[:, -1].tolist() == [0, 1, 1, 0]
    found = by_pair(*edges)
    assert found[1, 2] == found[2, 1] == [0, 0, 1, 0, 1]
    assert found[0, 3] == [0, 0, 0, 0, 3]
    fluorine = [0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0]
    assert atom_features(np.array([9, 1])).tolist() == [fluorine, hydrogen]
    assert all_pairs(1)[0].shape == (2, 0)


def test_split_is_a_partition_that_keeps_equal_names_together():
    names = [f'molecule {index // 3}' for index in range(600)]
    parts = split(names)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(600))
    for part in ('val', 'test'):
        assert 60 <= len(parts[part]) < 63
    owners = [{names[index] for index in part} for part in parts.values()]
    assert sum(map(len, owners)) == len(set(names))


def test_split_has_the_published_sizes_and_depends_on_the_seed_alone():
    names = [f'gdb_{index}' for index in range(130_831)]
    lengths = {name: len(part) for name, part in split(names).items()}
    assert lengths == {'train': 110_831, 'val': 10_000, 'test': 10_000}
    few = names[:100]
    first, turned, other = (
        {order[index] for index in split(order, seed)['test']}
        for order, seed in ((few, 0), (few[::-1], 0), (few, 1))
    )
    assert first == turned != other
    for names in ([], ['C'] * 50, ['C', 'N']):
        with pytest.raises(ValueError, match=f'three splits. Found {len(names)} in all'):
            split(names)


LIST, OFFICIAL = list_excluded((2, 5, 7, 8)), list_excluded(range(1, 3055))


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ('3 CC C\n5 CC C\n', {3, 5}),  # written by hand: nothing says where it ends
        ('Molecules\n3 CC C\n5 CC C\n2 compounds\n', {3, 5}),
        ('\ufeffMolecules\n3 CC C\nend\n\n', {3}),
        ('\n\n', ''),
        ('3\n5\n', ''),
        ('Molecules\n3 CC C\n3 compounds\n', ''),
        (LIST, {2, 5, 7, 8}),
        # Cut behind the heading or a whole line, in the middle of one, and behind its number.
        (LIST.partition('       2')[0], 'to its end. Found 0.*Download it'),
        (LIST.partition('       8')[0], 'to its end. Found 3.*Download it'),
        (LIST.rstrip('=\n')[:-9], 'to its end. Found 4.*Download it'),
        (LIST.partition('  CC  C=C')[0], 'to its end. Found 0.*Download it'),
        (OFFICIAL, set(range(1, 3055))),
        (OFFICIAL.rstrip('=\n'), set(range(1, 3055))),  # all the molecules are there
        (OFFICIAL.replace('    3054  CC', ''), 'Found 3053 of 3054'),
    ],
)
def test_lists_of_molecules_to_leave_out(tmp_path, text, found):
    path = tmp_path / 'uncharacterized.txt'
    path.write_text(text, encoding='utf-8')
    count = 133_885 if len(text) > 10_000 else 12
    if isinstance(found, set):
        assert read_excluded(path, count) == found
    else:
        match = rf'uncharacterized\.txt: should list the molecules.*{found}'
        with pytest.raises(ValueError, match=match):
            read_excluded(path, count)


@pytest.mark.skipif(not REAL.exists(), reason='needs ../shared/data/qm9')
def test_real_molecules():
    found = read_qm9(REAL)
    assert len(found) == 14308
    lengths = np.array([len(part) for part in found.splits.values()])
    assert lengths.sum() == len(found)
    assert (lengths[1:] >= 1431).all()
    # A bond is 1 to 1.6 angstrom long: the nearest neighbour of any atom is bonded to it.
    for index in range(0, len(found), 500):
        _, pairs, features = found.graph(index)
        nearest = np.array([features[pairs[0] == atom, 4].min() for atom in np.unique(pairs[0])])
        assert (nearest > 0.9).all()
        assert (nearest < 1.7).all()
    energies = found.targets[:, get_benchmark('qm9').task_names.index('u0')] / 1000
    assert (energies < 0).all()  # eV: it takes energy to take a molecule apart
    assert (energies > -130).all()
