import json

import pytest

from go4align_plugins.benchmarks.run_folder import RunFolder

CONFIG = {'seed': 0}


def test_lines_that_are_no_epochs_are_dropped(tmp_path):
    kept = json.dumps({'epoch': 0}).encode() + b'\n'
    strange = b'\xe3\x9b%\n{"epoch": {}}\n{"epoch": true}\n[]\n' + b'[' * 10**5 + b'\n{"epo'
    (tmp_path / 'config.json').write_text(json.dumps(CONFIG))
    (tmp_path / 'metrics.jsonl').write_bytes(kept + strange)
    RunFolder(tmp_path, CONFIG, resume=True).keep_until(2)
    assert (tmp_path / 'metrics.jsonl').read_bytes() == kept


@pytest.mark.parametrize('content', [b'[]', b'\xe3', b'', b'3'])
def test_broken_options_are_named(tmp_path, content):
    (tmp_path / 'config.json').write_bytes(content)
    (tmp_path / 'metrics.jsonl').write_text('')
    with pytest.raises(ValueError, match=r'config\.json: should hold the options'):
        RunFolder(tmp_path, CONFIG, resume=True)
