"""Run folders that are gone on with, or refused by name."""

import pytest

from go4align_plugins.utils.run_folder import CONFIG, METRICS, RunFolder, RunFolderError

OPTIONS = {'epochs': 3, 'seed': 0}


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / 'run', OPTIONS)
    for epoch in range(3):
        made.append({'epoch': epoch})
    return made


def test_entries_of_what_is_trained_again_are_dropped(folder):
    with (folder.path / METRICS).open('a') as file:
        file.write('{"epoch": 3, "tr')
    folder.keep_until(2)
    assert (folder.path / METRICS).read_text() == '{"epoch": 0}\n{"epoch": 1}\n'
    folder.keep_until(0)
    assert (folder.path / METRICS).read_text() == ''


@pytest.mark.parametrize(
    ('content', 'line'),
    [
        (b'{"epoch": 0}\n{"epoch" 1}\n{"epoch": 2}\n', 2),
        (b'{"epoch": 0}\n{"epoch": 2}\n', 2),
        (b'{"epoch": 0}\n', 2),
        (b'\xff\xfe\n', 1),
        (b'[]\n', 1),
        (b'{"epoch": true}\n', 1),
        (b'[' * 10**5 + b'\n', 1),
        (b'', 1),
    ],
)
def test_a_trained_epochs_entry_that_is_lost_is_an_error(folder, content, line):
    (folder.path / METRICS).write_bytes(content)
    message = rf'metrics\.jsonl, line {line}: should be the entry of epoch {line - 1}.*begin anew'
    with pytest.raises(RunFolderError, match=message):
        folder.keep_until(3)
    assert (folder.path / METRICS).read_bytes() == content


@pytest.mark.parametrize('content', [b'', b'[1]', b'{"epochs": 3', b'\xff', b'null'])
def test_damaged_options_are_named(folder, content):
    (folder.path / CONFIG).write_bytes(content)
    with pytest.raises(RunFolderError, match=r'config\.json: should hold the options.*begin anew'):
        RunFolder(folder.path, OPTIONS, resume=True)


def test_metrics_that_cannot_be_written_are_named(folder):
    (folder.path / METRICS).unlink()
    (folder.path / METRICS).symlink_to('/dev/full')
    with pytest.raises(OSError, match=r'No space left on device.*metrics\.jsonl'):
        folder.append({'epoch': 3})
