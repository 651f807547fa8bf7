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

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder
from go4align_plugins.data.frame_rules import load_array
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.report import build_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.report.latex import escape
from go4align_plugins.leaderboard.report.sources import load_results
from go4align_plugins.leaderboard.report.text import as_text, from_text
from go4align_plugins.leaderboard.run.commands import check_methods
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


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def calls():
    for folder in ('go4align_plugins', 'tools'):
        for path in sorted((ROOT / folder).rglob('*.py')):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if isinstance(node, ast.Call):
                    options = {word.arg: word.value for word in node.keywords}
                    yield f'{path.name}:{node.lineno}', ast.unparse(node.func), options


def test_no_call_in_the_package_runs_what_it_reads():
    wrong = []
    for place, name, options in calls():
        given = {key: getattr(value, 'value', None) for key, value in options.items()}
        if name in FORBIDDEN or name.endswith('.extractall') or given.get('shell'):
            wrong.append(f'{place}: {name}')
        # Not a method of the same name: `checkpoint.load` is the package's own.
        if name.endswith('torch.load') or (name.endswith(').load') and 'torch' in name):
            wrong += [] if given.get('weights_only') is True else [f'{place}: {name}']
        wrong += [f'{place}: {name}'] if given.get('allow_pickle') else []
    assert wrong == []


def test_arrays_with_objects_are_refused(tmp_path):
    target = tmp_path / 'attacked'
    np.save(tmp_path / '0.npy', np.array([Attack(target)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r'0\.npy: should be a whole \.npy file'):
        load_array(tmp_path / '0.npy')
    arrays = dict.fromkeys(('Z', 'pos', 'ptr', 'y', 'target_names', 'smiles'))
    np.savez(tmp_path / 'molecules.npz', **{n: np.array([Attack(target)]) for n in arrays})
    with pytest.raises(ValueError, match=r'molecules\.npz: should hold the arrays'):
        read_qm9(tmp_path)
    assert not target.exists()


def test_checkpoints_with_code_are_refused(tmp_path):
    torch = pytest.importorskip('torch')
    checkpoint = pytest.importorskip(
        'go4align_plugins.libmtl.checkpoint', reason='needs LibMTL', exc_type=ImportError
    )
    torch.save({'epoch': 0, 'model': Attack(tmp_path / 'attacked')}, tmp_path / 'last.pt')
    with pytest.raises(ValueError, match=r'last\.pt: should be a checkpoint of this tool'):
        checkpoint.load(tmp_path / 'last.pt')
    assert not (tmp_path / 'attacked').exists()


def test_a_plan_with_code_is_refused(tmp_path):
    plan = tmp_path / 'plan.yaml'
    plan.write_text(f'methods: !!python/object/apply:os.mkdir ["{tmp_path / "attacked"}"]\n')
    with pytest.raises(ValueError, match=r'plan\.yaml: should be a plan in YAML'):
        read_plan(plan)
    assert not (tmp_path / 'attacked').exists()


def test_arrays_that_hdf5_would_read_elsewhere_are_refused(tmp_path):
    h5py = pytest.importorskip('h5py')
    from go4align_plugins.data.conversion.nyuv2 import count_frames

    (tmp_path / 'secret').write_bytes(bytes(4096))
    shapes = {'images': (2, 3, 8, 6), 'depths': (2, 8, 6), 'labels': (2, 8, 6)}
    for kind in ('storage', 'link', 'soft'):
        path = tmp_path / f'{kind}.mat'
        with h5py.File(path, 'w') as file:
            for name, shape in shapes.items():
                file[name] = np.zeros(shape, np.uint8)
            del file['depths']
            if kind == 'storage':
                external = [(str(tmp_path / 'secret'), 0, 96)]
                file.create_dataset('depths', (2, 8, 6), np.uint8, external=external)
            elif kind == 'link':
                file['depths'] = h5py.ExternalLink('storage.mat', 'depths')
            else:
                file['depths'] = h5py.SoftLink('/labels')
        with pytest.raises(ValueError, match='should hold depths itself'):
            count_frames(path)


@pytest.mark.parametrize('name', ['../secret.jpg', '{root}/secret.jpg', './000001.jpg'])
def test_celebas_list_names_no_file_outside_its_folder(tmp_path, name):
    root = write_faces(tmp_path / 'celeba', (4, 2, 2))
    (tmp_path / 'secret.jpg').write_bytes((root / 'img_align_celeba/000001.jpg').read_bytes())
    (root / 'secret.jpg').write_bytes((tmp_path / 'secret.jpg').read_bytes())
    name = name.format(root=tmp_path)
    for listed in ('list_attr_celeba.txt', 'list_eval_partition.txt'):
        path = root / listed
        path.write_text(path.read_text().replace('000002.jpg', name))
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
def test_arguments_of_an_imported_method_move_no_file(tmp_path, argument):
    plan = Plan('libmtl', 'rooms', (Method.parse(f'EW:{argument}'),))
    with pytest.raises(ValueError, match=r'Method EW.*Found'):
        check_methods(plan, tmp_path)


def board(folder):
    """A leaderboard of streets that has EW and its baselines."""
    write_store(folder, [*singles(), make_entry('EW')])
    save_plan(Plan('libmtl', 'streets', (Method('EW'),)), folder / 'plan.yaml')
    return folder


def test_an_imported_store_writes_nothing_elsewhere(tmp_path, capsys):
    here = board(tmp_path / 'here')
    evil = make_entry('UW', epochs=3)
    evil = replace(evil, cell='../../cell', log='../../log')
    (tmp_path / 'other.jsonl').write_text(json.dumps(asdict(evil)) + '\n')
    before = {path for path in tmp_path.rglob('*') if not path.name.endswith('.lock')}
    assert main(['import', str(here), str(tmp_path / 'other.jsonl')]) == 0
    assert main(['status', str(here)]) == 0
    assert main(['report', str(here), '--out', str(here / 'report')]) == 0
    after = {path for path in tmp_path.rglob('*') if not path.name.endswith('.lock')}
    assert all(path.is_relative_to(here / 'report') for path in after - before)


def test_an_imported_method_that_is_no_name_is_refused(tmp_path, capsys):
    here = board(tmp_path / 'here')
    evil = replace(make_entry('UW'), method='../UW')
    (tmp_path / 'other.jsonl').write_text(json.dumps(asdict(evil)) + '\n')
    plan = (here / 'plan.yaml').read_bytes()
    assert main(['import', str(here), str(tmp_path / 'other.jsonl')]) == 2
    assert 'should name methods' in capsys.readouterr().err
    assert (here / 'plan.yaml').read_bytes() == plan
    assert 'UW' not in (here / RESULTS).read_text()


@pytest.mark.parametrize('field', ['cell', 'method', 'log', 'task'])
@pytest.mark.parametrize('value', ['\x1b[2J', 7, ['a']])
def test_an_entry_whose_names_are_no_plain_texts_is_refused(field, value):
    line = json.dumps({**asdict(failed('UW')), field: value}).encode()
    with pytest.raises(ValueError, match=f'`{field}` should be'):
        parse_entry(line)


def test_a_reason_steers_no_terminal():
    line = json.dumps(asdict(failed('UW', '\x1b]0;title\x07 out of memory'))).encode()
    assert parse_entry(line).reason == ' ]0;title  out of memory'


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, sorted(name for name, _ in attributes)))


def report_with(tmp_path, name, reason):
    tmp_path.mkdir()
    store = write_store(tmp_path, [*singles(), make_entry('EW'), make_entry('UW', weighting=name),
                                   failed('DWA', reason)])  # fmt: skip
    runs, failures = load_results([store])
    multi, single = ([run for run in runs if run.single_task == one] for one in (False, True))
    return build_report(multi, single, STREETS, failures=failures)


def test_a_page_shows_names_reasons_and_captions_as_they_are(tmp_path):
    pages = []
    for number, (name, reason) in enumerate((('UW', 'reason'), (SCRIPT, SCRIPT))):
        report = report_with(tmp_path / f'store-{number}', name, reason)
        report = replace(report, caption=name, notes=(reason,))
        pages.append(FORMATS['html'][1](report))
    clean, evil = (Elements(page).found for page in pages)
    assert evil == clean
    assert "default-src 'none'" in pages[1]


def test_markdown_has_no_tag_link_picture_or_cell_of_a_name(tmp_path):
    name = '\\| a <b> ![x](http://example.org) \r\n | c'
    report = report_with(tmp_path / 'store', name, name)
    text = FORMATS['md'][1](report)
    (row,) = [line for line in text.splitlines() if line.startswith('| \\\\')]
    assert row.startswith('| \\\\\\| a &lt;b> ![x]\\(http://example.org)    \\| c | ')
    assert '](' not in text.replace(']\\(', '')


def test_latex_has_no_command_of_a_name():
    assert escape('\\input{/etc/passwd}') == r'\textbackslash{}input\{/etc/passwd\}'
    assert escape('a%b$c#d&e^^5c\r\n') == (
        r'a\%b\$c\#d\&e\textasciicircum{}\textasciicircum{}5c  '
    )  # fmt: skip


@pytest.mark.parametrize('name', ['=cmd|calc', '+1', '-1', '@SUM(A1)', '\t=1', "'=1", 'UW', "'UW"])
def test_a_name_in_a_csv_is_no_formula_and_is_read_back(name):
    field = as_text(name)
    assert field[0] not in '=+-@\t\r'
    assert from_text(field) == name


def test_a_csv_of_a_report_has_no_formula(tmp_path):
    report = report_with(tmp_path / 'store', '=cmd|calc', 'none')
    (path,) = report.write(tmp_path / 'report', ['csv'])
    names = [row['method'] for row in csv.DictReader(io.StringIO(path.read_text()))]
    assert "'=cmd|calc" in names
    again = report_of_table(path)
    assert [row.method for row in again.rows] == [row.method for row in report.rows]


def test_a_statistic_of_a_checkpoint_reaches_nothing_else():
    compat = pytest.importorskip(
        'go4align_plugins.mmengine.compat', reason='needs MMEngine', exc_type=ImportError
    )
    with pytest.raises(Exception, match='should not ask for'):
        compat._get_statistic(SimpleNamespace, '__class__')
