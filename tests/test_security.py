"""What comes from elsewhere runs no code, and reaches no file outside its folder: SECURITY.md."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
from dataclasses import asdict, replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder
from go4align_plugins.data.frame_rules import load_array
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.report import build_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.report.sources import load_results
from go4align_plugins.leaderboard.report.text import as_text, escape, from_text
from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan, read_plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, parse_entry

from . import ROOT
from .data.celeba_files import write_faces
from .leaderboard.run_folders import STREETS
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


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def load_checkpoint(path):
    checkpoint = pytest.importorskip('go4align_plugins.libmtl.checkpoint', exc_type=ImportError)
    checkpoint.load(path)


@pytest.mark.parametrize(
    ('name', 'read', 'message'),
    [
        ('0.npy', load_array, r'0\.npy: should be a whole \.npy file'),
        ('molecules.npz', lambda path: read_qm9(path.parent), 'should hold the arrays'),
        ('last.pt', load_checkpoint, r'last\.pt: should be a checkpoint of this tool'),
        ('plan.yaml', read_plan, r'plan\.yaml: should be a plan in YAML'),
    ],
)
def test_files_with_code_are_refused(name, read, message, tmp_path):
    path, target = tmp_path / name, tmp_path / 'attacked'
    attack = np.array([Attack(target)], dtype=object)
    np.save(tmp_path / '0.npy', attack, allow_pickle=True)
    arrays = ('Z', 'pos', 'ptr', 'y', 'target_names', 'smiles')
    np.savez(tmp_path / 'molecules.npz', **dict.fromkeys(arrays, attack))
    torch.save({'epoch': 0, 'model': Attack(target)}, tmp_path / 'last.pt')
    (tmp_path / 'plan.yaml').write_text(f'methods: !!python/object/apply:os.mkdir ["{target}"]\n')
    with pytest.raises(ValueError, match=message):
        read(path)
    assert not target.exists()


@pytest.mark.parametrize('kind', ['storage', 'link', 'soft'])
def test_arrays_that_hdf5_would_read_elsewhere_are_refused(kind, tmp_path):
    h5py = pytest.importorskip('h5py')
    from go4align_plugins.data.conversion.nyuv2 import count_frames

    (tmp_path / 'secret').write_bytes(bytes(4096))
    path, shape = tmp_path / 'official.mat', (2, 8, 6)
    with h5py.File(path, 'w') as file:
        file['images'], file['labels'] = np.zeros((2, 3, 8, 6), 'u1'), np.zeros(shape, 'u1')
        if kind == 'storage':
            external = [(str(tmp_path / 'secret'), 0, 96)]
            file.create_dataset('depths', shape, np.uint8, external=external)
        else:
            links = {
                'link': h5py.ExternalLink('other.mat', 'depths'),
                'soft': h5py.SoftLink('/labels'),
            }
            file['depths'] = links[kind]
    with pytest.raises(ValueError, match='should hold depths itself'):
        count_frames(path)


@pytest.mark.parametrize('name', ['../secret.jpg', '{root}/secret.jpg', './000001.jpg'])
def test_celebas_list_names_no_file_outside_its_folder(tmp_path, name):
    root = write_faces(tmp_path / 'celeba', (4, 2, 2))
    for folder in (tmp_path, root):
        content = (root / 'img_align_celeba/000001.jpg').read_bytes()
        (folder / 'secret.jpg').write_bytes(content)
    for path in (root / 'list_attr_celeba.txt', root / 'list_eval_partition.txt'):
        path.write_text(path.read_text().replace('000002.jpg', name.format(root=tmp_path)))
    with pytest.raises(ValueError, match='1 are missing, the first is'):
        FaceFolder(root, get_benchmark('celeba'))


@pytest.mark.parametrize('value', ['../../etc', '/etc/x', '..', 'a/b', 'a\\b', '\n', '..;rm -rf'])
def test_a_cells_name_is_one_plain_name(value, tmp_path):
    name = Cell(Method('EW', (('T', value),)), 0).name
    assert set(name) <= set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,=+-')
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize(
    'argument', ['out=/tmp/x', 'data=x', 'resume=1', 'seed=3', 'rep_grad=--out=/tmp/x', 'a b=1']
)
def test_arguments_of_an_imported_method_move_no_file(argument):
    with pytest.raises(ValueError, match=r'should name methods .* none of dataset, .*Found'):
        Method.parse(f'EW:{argument}')


@pytest.fixture
def board(tmp_path):
    """A leaderboard of streets that has EW and its baselines."""
    folder = write_store(tmp_path / 'here', [*singles(), make_entry('EW')])
    save_plan(Plan('libmtl', 'streets', (Method('EW'),)), folder / 'plan.yaml')
    return folder


def import_entry(board, entry):
    other = board.with_name('other.jsonl')
    other.write_text(json.dumps(asdict(entry)) + '\n')
    return main(['import', str(board), str(other)])


def test_an_imported_store_writes_nothing_elsewhere(board, capsys):
    before = {*board.parent.rglob('*'), board.with_name('other.jsonl')}
    evil = replace(make_entry('UW', epochs=3), cell='../../cell', log='../../log')
    assert import_entry(board, evil) == 0
    assert main(['status', str(board)]) == 0
    assert main(['report', str(board), '--out', str(board / 'report')]) == 0
    new = {path for path in {*board.parent.rglob('*')} - before if path.suffix != '.lock'}
    assert all(path.is_relative_to(board / 'report') for path in new)


def test_an_imported_method_that_is_no_name_is_refused(board, capsys):
    plan = (board / 'plan.yaml').read_bytes()
    assert import_entry(board, replace(make_entry('UW'), method='../UW')) == 2
    assert 'should name methods' in capsys.readouterr().err
    assert (board / 'plan.yaml').read_bytes() == plan
    assert 'UW' not in (board / RESULTS).read_text()


@pytest.mark.parametrize('field', ['cell', 'method', 'log', 'task'])
def test_an_entry_whose_names_are_no_plain_texts_is_refused(field):
    for value in ('\x1b[2J', 7, ['a']):
        with pytest.raises(ValueError, match=f'`{field}` should be'):
            parse_entry(json.dumps({**asdict(failed('UW')), field: value}).encode())
    line = json.dumps(asdict(failed('UW', '\x1b]0;title\x07 out of memory'))).encode()
    assert parse_entry(line).reason == ' ]0;title  out of memory'


def report_with(folder, name, reason):
    folder.mkdir()
    evil = make_entry('UW', weighting=name), failed('DWA', reason)
    store = write_store(folder, [*singles(), make_entry('EW'), *evil])
    runs, failures = load_results([store])
    multi, single = ([run for run in runs if run.single_task == one] for one in (False, True))
    return build_report(multi, single, STREETS, failures=failures)


def test_a_page_shows_names_reasons_and_captions_as_they_are(tmp_path):
    found, parser = {}, HTMLParser()
    for name in ('UW', SCRIPT):
        tags = found[name] = []
        parser.handle_starttag = lambda tag, pairs, tags=tags: tags.append((tag, [*dict(pairs)]))
        report = report_with(tmp_path / f'store-{len(found)}', name, name)
        page = FORMATS['html'][1](replace(report, caption=name, notes=(name,)))
        parser.feed(page)
    assert found['UW'] == found[SCRIPT] != []
    assert "default-src 'none'" in page


def test_markdown_has_no_tag_link_picture_or_cell_of_a_name(tmp_path):
    name = '\\| a <b> ![x](http://example.org) \r\n | c'
    text = FORMATS['md'][1](report_with(tmp_path / 'store', name, name))
    (row,) = [line for line in text.splitlines() if line.startswith('| \\\\')]
    assert row.startswith('| \\\\\\| a &lt;b> ![x]\\(http://example.org)    \\| c | ')
    assert '](' not in text.replace(']\\(', '')


def test_latex_has_no_command_of_a_name():
    assert escape('\\input{/etc/passwd}') == r'\textbackslash{}input\{/etc/passwd\}'
    assert escape('a%b$c#d&e^c\r\n') == r'a\%b\$c\#d\&e\textasciicircum{}c  '


def test_a_name_in_a_csv_is_no_formula_and_is_read_back(tmp_path):
    names = ['=cmd|calc', '+1', '-1', '@SUM(A1)', '\t=1', "'=1", "'UW"]
    fields = [as_text(name) for name in names]
    assert not {field[0] for field in fields} & set('=+-@\t\r')
    assert [from_text(field) for field in fields] == names
    report = report_with(tmp_path / 'store', names[0], 'none')
    (path,) = report.write(tmp_path / 'report', ['csv'])
    rows = csv.DictReader(io.StringIO(path.read_text()))
    assert fields[0] in [row['method'] for row in rows]
    assert [row.method for row in report_of_table(path).rows] == [row.method for row in report.rows]


def test_a_statistic_of_a_checkpoint_reaches_nothing_else():
    compat = pytest.importorskip(
        'go4align_plugins.mmengine.compat', reason='needs MMEngine', exc_type=ImportError
    )
    with pytest.raises(Exception, match='should not ask for'):
        compat._get_statistic(SimpleNamespace, '__class__')
