"""Files that are whole or not there."""

import errno
import re

import pytest
import torch

from go4align_plugins.utils.files import advise, explain, find_damage, save_bytes

CAUGHT = 'Caught ValueError in worker.\nOriginal Traceback (most ...):\nValueError: a: b\n'


@pytest.mark.parametrize('durable', [False, True])
def test_a_file_is_replaced_as_a_whole(tmp_path, durable):
    path = tmp_path / 'file'
    for content in (b'before', b'now'):
        save_bytes(path, content, durable)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_on_a_full_disk_the_file_before_is_kept(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'before')
    (tmp_path / 'file.part').symlink_to('/dev/full')
    with pytest.raises(OSError, match='No space left on device') as error:
        save_bytes(path, b'now')
    assert error.value.filename == str(path)
    assert path.read_bytes() == b'before'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ('code', 'advice'),
    [
        *((code, 'Make room') for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
        *((code, 'Choose a folder that can be written') for code in (errno.EROFS, errno.EACCES)),
        (errno.ENOENT, ''),
    ],
)
def test_an_error_says_what_to_do(code, advice):
    said = advise(OSError(code, 'why', 'file'), 'then go on')
    assert advice in said
    assert bool(said) == bool(advice)
    assert advise(ValueError('why'), 'then go on') == ''


@pytest.mark.parametrize(
    ('text', 'mistakes', 'said'),
    [
        (
            'DataLoader worker (pid 7) is killed by signal: Killed. ',
            (),
            r'DataLoader worker \(pid 7\) is killed by signal: Killed\. A process .*'
            r'Use fewer workers; then go on\. What is finished is kept\.',
        ),
        (CAUGHT, (RuntimeError,), 'a: b'),
        (CAUGHT, (OSError,), None),
        ('shapes', (), None),
    ],
)
def test_an_error_of_a_worker_says_on_one_line_what_happened(text, mistakes, said):
    found = explain(RuntimeError(text), 'then go on', mistakes)
    assert re.fullmatch(said, found) if said else found is None


def test_damage_is_found_that_torch_may_not_see(tmp_path):
    path = tmp_path / 'last.pt'
    torch.save({'a': torch.zeros(1000)}, path)
    assert find_damage(path) is None
    whole = path.read_bytes()
    middle, directory = len(whole) // 2, whole.index(b'PK\x01\x02')
    # A flipped bit; in the archive's directory: encrypted, or compressed in another way.
    changes = ((middle, whole[middle] ^ 0x40), (directory + 8, 1), (directory + 10, 99))
    for place, value in changes:
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        assert ('checksum' if place == middle else '') in find_damage(path)
    for content in (b'', b'noise', b'PK\x03\x04'):
        path.write_bytes(content)
        assert find_damage(path)
