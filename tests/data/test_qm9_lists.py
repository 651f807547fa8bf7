"""The lists beside QM9's molecules: those to leave out, and LibMTL's order; cut ones are named."""

from __future__ import annotations

import pytest
import torch

from go4align_plugins.data.qm9 import check, read_qm9
from go4align_plugins.data.sdf import read_excluded

from .molecule_files import write_excluded, write_sdf


@pytest.mark.parametrize(('folder', 'dtype'), [('', torch.int64), ('processed', torch.float32)])
def test_libmtls_order_decides_the_split(tmp_path, folder, dtype):
    order = torch.tensor([7, 2, 11, 0, 1, 3, 4, 5, 6, 8, 9, 10], dtype=dtype)
    (tmp_path / folder).mkdir(exist_ok=True)
    torch.save(order, write_sdf(tmp_path) / folder / 'random_split.t')
    splits = {name: part.tolist() for name, part in read_qm9(tmp_path).splits.items()}
    assert isinstance(splits['test'][0], int)
    assert splits == {'test': [2, 7], 'val': [0, 11], 'train': [1, 3, 4, 5, 6, 8, 9, 10]}
    assert check(tmp_path) == ([], {'train': 8, 'val': 2, 'test': 2})


@pytest.mark.parametrize(
    'content', [torch.arange(11), torch.zeros(12), torch.tensor(3), [1, 2], 'text', b'no tensor']
)
def test_a_broken_order_is_named(tmp_path, content):
    path = write_sdf(tmp_path) / 'random_split.t'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(ValueError, match="LibMTL's order of the 12 molecules") as caught:
        read_qm9(tmp_path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize('count', [10, 13, 24])
def test_an_order_of_other_molecules_is_named(tmp_path, count):
    torch.save(torch.arange(count), write_sdf(tmp_path) / 'random_split.t')
    with pytest.raises(ValueError, match=rf'order of the 12 molecules. Found .*\({count},\)'):
        read_qm9(tmp_path)


def test_uncharacterized_molecules_are_left_out(tmp_path):
    found = read_qm9(write_sdf(tmp_path, excluded=(2, 5)))
    assert len(found) == 10
    assert not {'gdb_2', 'gdb_5'} & set(found.names)
    assert found.targets[1] == pytest.approx(read_qm9(write_sdf(tmp_path / 'all')).targets[2])


@pytest.mark.parametrize('kept', range(5))
def test_a_list_that_is_cut_is_named(tmp_path, kept):
    write_sdf(tmp_path, excluded=(2, 5, 7, 8))
    path = tmp_path / 'uncharacterized.txt'
    lines = path.read_text().splitlines(keepends=True)
    text = ''.join(lines[: 7 + kept])
    # Behind a whole line, in the middle of one, and behind its number.
    for end, found in (('', kept), ('       9  CC  C', kept + 1), ('       9', kept)):
        path.write_text(text + end)
        with pytest.raises(ValueError, match=f'to its end. Found {found}.*Download it') as caught:
            read_qm9(tmp_path)
        assert str(caught.value).startswith(str(path))
        assert check(tmp_path) == ([str(caught.value)], {})


def test_the_official_list_has_3054_molecules(tmp_path):
    path = tmp_path / 'uncharacterized.txt'
    write_excluded(path, range(1, 3055))
    assert read_excluded(path, 133885) == set(range(1, 3055))
    whole = path.read_text()
    path.write_text(whole.rstrip('=\n'))  # all the molecules are there
    assert len(read_excluded(path, 133885)) == 3054
    path.write_text(whole.replace('    3054  CC', ''))
    with pytest.raises(ValueError, match='Found 3053 of 3054'):
        read_excluded(path, 133885)


@pytest.mark.parametrize(
    ('text', 'numbers'),
    [
        ('3 CC C\n5 CC C\n', {3, 5}),  # written by hand: nothing says where it ends
        ('Molecules\n3 CC C\n5 CC C\n2 compounds\n', {3, 5}),
        ('\ufeffMolecules\n3 CC C\nend\n\n', {3}),
    ],
)
def test_lists_that_end_otherwise(tmp_path, text, numbers):
    path = tmp_path / 'uncharacterized.txt'
    path.write_text(text, encoding='utf-8')
    assert read_excluded(path, 12) == numbers


@pytest.mark.parametrize('text', ['', '\n\n', '3\n5\n', 'Molecules\n3 CC C\n3 compounds\n'])
def test_what_lists_no_molecules_is_named(tmp_path, text):
    write_sdf(tmp_path)
    (tmp_path / 'uncharacterized.txt').write_text(text)
    with pytest.raises(ValueError, match=r'uncharacterized\.txt: should list the molecules'):
        read_qm9(tmp_path)


def test_the_list_of_excluded_molecules_may_have_any_encoding(tmp_path):
    write_sdf(tmp_path, excluded=(3,))
    path = tmp_path / 'uncharacterized.txt'
    path.write_bytes(b'\xe9\n' + path.read_bytes())
    assert len(read_qm9(tmp_path)) == 11
