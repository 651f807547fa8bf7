"""What comes from elsewhere runs no code, and reaches no file outside its folder: SECURITY.md."""

from __future__ import annotations

import ast
import json
import os
from dataclasses import asdict, replace
from html.parser import HTMLParser

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder
from go4align_plugins.data.frame_rules import read_array
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.cli.board import make_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.report.text import as_text, escape, from_text
from go4align_plugins.leaderboard.run.plan import Method, Plan, read_plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, parse_entry

from . import ROOT
from .data.celeba_files import write_faces
from .leaderboard.run_folders import write_run
from .leaderboard.stores import failed, make_entry, singles, write_store

SCRIPT = '</script><script>alert(1)</script><img src=x onerror=alert(1)>"\''
FORBIDDEN = {
    'eval', 'exec', 'os.system', 'os.popen', 'pickle.load', 'pickle.loads', 'yaml.load',
    'yaml.unsafe_load', 'yaml.full_load', 'tarfile.open', 'shutil.unpack_archive', 'torch.hub.load',
    'subprocess.getoutput',
}  # fmt: skip


def test_no_call_in_the_package_runs_what_it_reads():
    wrong = []
    for path in (*ROOT.glob('go4align_plugins/**/*.py'), *ROOT.glob('tools/*.py')):
        calls = ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        for node in (node for node in calls if isinstance(node, ast.Call)):
            name = ast.unparse(node.func)
            given = {word.arg: getattr(word.value, 'value', None) for word in node.keywords}
            # Not a method of the same name: `checkpoint.load` is the package's own.
            loads = name.endswith('torch.load') or (name.endswith(').load') and 'torch' in name)
            unsafe = loads and given.get('weights_only') is not True
            runs = name in FORBIDDEN or name.endswith('.extractall')
            if unsafe or runs or given.get('shell') or given.get('allow_pickle'):
                wrong.append(f'{path.name}:{node.lineno}: {name}')
    assert wrong == []


@pytest.mark.parametrize(
    ('name', 'read', 'message'),
    [
        ('0.npy', read_array, r'0\.npy: should be a whole \.npy file'),
        ('molecules.npz', lambda path: read_qm9(path.parent), 'should hold the arrays'),
        ('plan.yaml', read_plan, r'plan\.yaml: should be a plan in YAML'),
    ],
)
def test_files_with_code_are_refused(name, read, message, tmp_path):
    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / 'attacked'),))

    attack = np.array([Attack()], dtype=object)
    np.save(tmp_path / '0.npy', attack, allow_pickle=True)
    arrays = ('Z', 'pos', 'ptr', 'y', 'target_names', 'smiles')
    np.savez(tmp_path / 'molecules.npz', **dict.fromkeys(arrays, attack))
    code = f'!!python/object/apply:os.mkdir ["{tmp_path}/attacked"]'
    (tmp_path / 'plan.yaml').write_text(f'methods: {code}\n')
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)
    assert not (tmp_path / 'attacked').exists()


@pytest.mark.parametrize('kind', ['storage', 'link', 'soft'])
def test_arrays_that_hdf5_would_read_elsewhere_are_refused(kind, tmp_path):
    h5py = pytest.importorskip('h5py')
    from go4align_plugins.data.conversion.nyuv2 import count_frames

    (tmp_path / 'secret').write_bytes(bytes(4096))
    with h5py.File(tmp_path / 'official.mat', 'w') as file:
        file['images'], file['labels'] = np.zeros((2, 3, 8, 6), 'u1'), np.zeros((2, 8, 6), 'u1')
        if kind == 'storage':
            external = [(str(tmp_path / 'secret'), 0, 96)]
            file.create_dataset('depths', (2, 8, 6), np.uint8, external=external)
        else:
            soft = kind == 'soft'
            file['depths'] = h5py.SoftLink('/labels') if soft else h5py.ExternalLink('x', 'depths')
    with pytest.raises(ValueError, match='should hold depths itself'):
        count_frames(tmp_path / 'official.mat')


@pytest.mark.parametrize('name', ['../secret.jpg', '{root}/secret.jpg', './000001.jpg'])
def test_celebas_list_names_no_file_outside_its_folder(tmp_path, name):
    root = write_faces(tmp_path / 'celeba', (4, 2, 2))
    for folder in (tmp_path, root):
        (folder / 'secret.jpg').write_bytes((root / 'img_align_celeba/000001.jpg').read_bytes())
    for path in (root / 'list_attr_celeba.txt', root / 'list_eval_partition.txt'):
        path.write_text(path.read_text().replace('000002.jpg', name.format(root=tmp_path)))
    with pytest.raises(ValueError, match='1 are missing, the first is'):
        FaceFolder(root, get_benchmark('celeba'))


@pytest.fixture
def board(tmp_path):
    """A leaderboard of streets that has EW and its baselines."""
    folder = write_store(tmp_path / 'here', [*singles(), make_entry('EW')])
    save_plan(Plan('libmtl', 'streets', (Method('EW'),)), folder / 'plan.yaml')
    return folder


def import_entry(board, **changes):
    other = board.with_name('other.jsonl')
    other.write_text(json.dumps({**asdict(make_entry('UW')), **changes}) + '\n')
    return main(['import', str(board), str(other)])


def test_an_imported_store_writes_nothing_elsewhere(board):
    before = {*board.parent.rglob('*'), board.with_name('other.jsonl')}
    assert import_entry(board, cell='../../cell', log='../../log') == 0
    assert main(['status', str(board)]) == 0
    assert main(['report', str(board), '--out', str(board / 'report')]) == 0
    new = {path for path in {*board.parent.rglob('*')} - before if path.suffix != '.lock'}
    assert all(path.is_relative_to(board / 'report') for path in new)


def test_an_imported_method_that_could_move_files_is_refused(board, capsys):
    before = [(board / name).read_bytes() for name in ('plan.yaml', RESULTS)]
    for method in ('../UW', 'UW:out=/tmp/x', 'UW:seed=3', 'UW:rep_grad=--out=/tmp/x', 'UW:a b=1'):
        assert import_entry(board, method=method) == 2
        assert 'should name methods' in capsys.readouterr().err
    assert [(board / name).read_bytes() for name in ('plan.yaml', RESULTS)] == before


@pytest.mark.parametrize('field', ['cell', 'method', 'log', 'task'])
def test_entries_hold_plain_texts(field):
    entry = asdict(failed('UW', '\x1b]0;title\x07 out of memory'))
    assert parse_entry(json.dumps(entry).encode()).reason == ' ]0;title  out of memory'
    for value in ('\x1b[2J', 7, ['a']):
        with pytest.raises(ValueError, match=f'`{field}` should be'):
            parse_entry(json.dumps({**entry, field: value}).encode())


EVIL = '\x1b[2J\x9b\x07'
SHOWN = {'weighting': EVIL, 'weight_args': {EVIL: EVIL}, 'backbone': EVIL, 'num_frames': {EVIL: 2}}


@pytest.mark.parametrize(
    'changes', [SHOWN, {'optim_wrapper': {'optimizer': EVIL}}, {'benchmark': EVIL}]
)
@pytest.mark.parametrize('kind', ['store', 'run folder'])
def test_the_console_shows_no_control_character(changes, kind, tmp_path, capsys, recwarn):
    here = write_store(tmp_path / 'here', [*singles(), make_entry('EW')])
    hostile = write_run(tmp_path / 'hostile', **{'weighting': 'UW', **changes})
    if kind == 'store':
        config = json.loads((hostile / 'config.json').read_text())
        lines = (
            json.dumps(asdict(replace(make_entry('UW', seed=1), config=config))),
            json.dumps({EVIL: 1}),
        )
        (hostile / RESULTS).write_text('\n'.join(lines))
    for words in (
        ['report', here, hostile],
        ['report', hostile],
        ['analyse', 'convergence', hostile],
    ):
        main([*map(str, words)])
        printed = [
            *''.join(capsys.readouterr()).split('\n'),
            *(str(each.message) for each in recwarn),
        ]
        assert len(printed) > 1
        assert all(map(str.isprintable, printed))


def report_with(folder, name):
    """A report with a hostile name, and as the reason of a failure."""
    evil = make_entry('UW', weighting=name), failed('DWA', name)
    return make_report([write_store(folder, [*singles(), make_entry('EW'), *evil])])


def test_a_page_shows_names_reasons_and_captions_as_they_are(tmp_path):
    found, parser = {'UW': [], SCRIPT: []}, HTMLParser()
    for name, tags in found.items():
        parser.handle_starttag = lambda tag, pairs, tags=tags: tags.append((tag, [*dict(pairs)]))
        report = replace(report_with(tmp_path / str(len(name)), name), caption=name, notes=(name,))
        parser.feed(page := FORMATS['html'][1](report))
    assert found['UW'] == found[SCRIPT] != []
    assert "default-src 'none'" in page


def test_markdown_and_latex_have_no_command_of_a_name(tmp_path):
    name = '\\| a <b> ![x](http://example.org) \r\n | c'
    text = FORMATS['md'][1](report_with(tmp_path / 'store', name))
    (row,) = [line for line in text.splitlines() if line.startswith('| \\\\')]
    assert row.startswith('| \\\\\\| a &lt;b> ![x]\\(http://example.org)    \\| c | ')
    assert '](' not in text.replace(']\\(', '')
    assert escape('\\input{/etc/passwd}') == r'\textbackslash{}input\{/etc/passwd\}'
    assert escape('a%b$c#d&e^c\r\n') == r'a\%b\$c\#d\&e\textasciicircum{}c  '


def test_a_name_in_a_csv_is_no_formula_and_is_read_back(tmp_path):
    names = ['=cmd|calc', '+1', '-1', '@SUM(A1)', '\t=1', "'=1", "'UW"]
    fields = [as_text(name) for name in names]
    assert not {field[0] for field in fields} & set('=+-@\t\r')
    assert [from_text(field) for field in fields] == names
    report = report_with(tmp_path / 'store', names[0])
    (path,) = report.write(tmp_path / 'report', ['csv'])
    assert f'\n{fields[0]},' in path.read_text()
    assert [row.method for row in report_of_table(path).rows] == [row.method for row in report.rows]
