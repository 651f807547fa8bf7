"""Files that are whole or not there."""

from __future__ import annotations

import errno

import pytest
import torch

from go4align_plugins.utils.files import advise, explain, find_damage, save_bytes


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
        (errno.ENOSPC, 'Make room'),
        (errno.EDQUOT, 'Make room'),
        (errno.EFBIG, 'Make room'),
        (errno.EROFS, 'Choose a folder that can be written to'),
        (errno.EACCES, 'Choose a folder that can be written to'),
        (errno.ENOENT, ''),
    ],
)
def test_an_error_says_what_to_do(code, advice):
    said = advise(OSError(code, 'why', 'file'), 'then go on')
    assert advice in said
    assert bool(said) == bool(advice)
    assert advise(ValueError('why'), 'then go on') == ''


def test_a_killed_worker_is_the_users_to_mend():
    error = RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')
    said = explain(error, 'then go on', ())
    assert said.startswith('DataLoader worker (pid 7) is killed by signal: Killed. A process')
    assert said.endswith('Use fewer workers; then go on. What is finished is kept.')
    assert explain(RuntimeError('shapes'), 'then go on', ()) is None


def test_what_a_worker_raises_is_told_on_one_line():
    text = 'Caught ValueError in worker.\nOriginal Traceback (most ...):\nValueError: a: b\n'
    assert explain(ValueError(text), 'then go on', (ValueError,)) == 'a: b'
    assert explain(ValueError(text), 'then go on', (OSError,)) is None


@pytest.mark.parametrize('place', [8, 10])
def test_damage_is_found_that_torch_may_not_see(tmp_path, place):
    path = tmp_path / 'last.pt'
    torch.save({'a': torch.zeros(1000)}, path)
    assert find_damage(path) is None
    whole, flipped = path.read_bytes(), bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 0x40
    path.write_bytes(flipped)
    assert 'checksum' in find_damage(path)
    # In the archive's directory: encrypted, or compressed in another way.
    unknown = bytearray(whole)
    unknown[whole.index(b'PK\x01\x02') + place] = {8: 1, 10: 99}[place]
    path.write_bytes(unknown)
    assert find_damage(path)


@pytest.mark.parametrize('content', [b'', b'noise', b'PK\x03\x04'])
def test_what_is_no_checkpoint_is_damaged(tmp_path, content):
    (tmp_path / 'last.pt').write_bytes(content)
    assert find_damage(tmp_path / 'last.pt')
