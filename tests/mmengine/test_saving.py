"""At any moment there is a whole checkpoint to go on from."""

from __future__ import annotations

import pytest
import torch

from go4align_plugins.mmengine import SafeCheckpointHook
from go4align_plugins.mmengine.saving import find_checkpoint

from .toys import make_runner


def keep(count):
    hook = {'type': 'SafeCheckpointHook', 'interval': 2, 'by_epoch': False}
    return {'checkpoint': {**hook, 'max_keep_ckpts': count}}


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth*'))


def write(path):
    torch.save({'a': torch.zeros(100)}, path)
    return path


def test_the_checkpoint_before_outlives_a_full_disk(tmp_path):
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    (work_dir / 'iter_4.pth.part').symlink_to('/dev/full')
    with pytest.raises(OSError, match=r'No space left on device.*iter_4\.pth'):
        make_runner(work_dir, default_hooks=keep(1)).train()
    assert names(work_dir) == ['iter_2.pth']
    assert find_checkpoint(work_dir) == work_dir / 'iter_2.pth'
    runner = make_runner(work_dir, default_hooks=keep(1), resume=True, experiment_name='again')
    runner.train()
    assert names(work_dir) == ['iter_6.pth']
    assert runner.message_hub.get_info('keep_ckpt_ids') == [6]


@pytest.mark.parametrize(('count', 'kept'), [(2, [4, 6]), (9, [2, 4, 6]), (-1, [2, 4, 6])])
def test_as_many_are_kept_as_by_mmengines_hook(tmp_path, count, kept):
    make_runner(tmp_path / 'run', default_hooks=keep(count)).train()
    assert names(tmp_path / 'run') == [f'iter_{step}.pth' for step in kept]


def test_another_storage_is_left_to_itself():
    local = {'backend': 'local'}
    assert SafeCheckpointHook(out_dir='s3://bucket').backend_args is None
    assert SafeCheckpointHook(backend_args=local).backend_args == local


@pytest.mark.parametrize(
    'pointer', [None, b'', b'\xff\x00', b'/gone/epoch_3.pth', b'moved/x.txt', b'x' * 999 + b'.pth']
)
def test_without_a_pointer_the_latest_is_gone_on_from(tmp_path, pointer):
    assert find_checkpoint(tmp_path / 'nowhere') is find_checkpoint(tmp_path) is None
    for name in ('epoch_9.pth', 'epoch_10.pth', 'best_depth_epoch_99.pth'):
        write(tmp_path / name)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_bytes(pointer)
    assert find_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'


def test_what_the_pointer_names_comes_first_even_if_the_folder_was_moved_or_copied(tmp_path):
    for name in ('original', 'copy', 'moved'):
        folder = tmp_path / name
        folder.mkdir()
        for number in (1, 2):
            write(folder / f'epoch_{number}.pth')
        gone = 'gone' if name == 'moved' else 'original'
        (folder / 'last_checkpoint').write_text(str(tmp_path / gone / 'epoch_1.pth'))
        assert find_checkpoint(folder) == folder / 'epoch_1.pth'


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = write(tmp_path / 'epoch_1.pth')
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'epoch_1\.pth: should be a checkpoint .* Delete it'):
        find_checkpoint(tmp_path)
