"""What trainings leave behind: run folders, stores, tables."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import asdict

import yaml
from hypothesis import strategies as st

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import load_run
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.cli.report import make_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.run.plan import Plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.utils.run_folder import RunFolder

from ..leaderboard.run_folders import MULTI, entry
from ..leaderboard.stores import failed, make_entry, singles
from .inputs import damaged, json_file, lines_of
from .reader import reads

MULTIPLE = (make_entry('EW'), make_entry('GO4Align:num_groups=2', seed=1), failed('DWA'))
ENTRIES = [json.loads(json.dumps(asdict(one))) for one in (*singles(), *MULTIPLE)]
PLAN = {'framework': 'libmtl', 'benchmark': 'streets', 'methods': ['EW'], 'seeds': [0]}
CONFIG = make_entry('EW').config
LINES = [entry(epoch, MULTI) for epoch in range(3)]
TABLE = (
    b'method,seeds,benchmark,epochs,segmentation/mIoU,segmentation/pixAcc,'
    b'depth/abs_err,depth/rel_err,depth/rel_err std\n'
    b'STL,0 1,streets,,0.5,0.8,0.02,20,0.1\nEW,0,streets,,0.6,0.72,0.01,30,\n'
)
METRICS = {'segmentation': {'mIoU': 0.5, 'pixAcc': 0.8}, 'depth': {'abs_err': 1, 'rel_err': 2.0}}
ERRORS = 'Runs |runs in one table'


@reads(json_file(*ENTRIES))
def store(content, folder):
    """Lines that are no entries are passed over; what is kept can be added, exported, joined."""
    store = Store(folder / RESULTS)
    store.path.write_bytes(content)
    kept = store.entries()
    other = Store(folder / 'other.jsonl')
    added, differing = other.join(kept.values())
    assert len(added) == len(kept)
    assert not differing
    assert list(other.entries()) == list(kept)
    store.append(make_entry('UW'))
    assert {*kept, make_entry('UW').cell} == set(store.entries())


@reads(json_file(*ENTRIES), f'{ERRORS}|should hold a finished')
def report(content, folder):
    """A store that is read can be reported in every form, or the reason is named."""
    (folder / RESULTS).write_bytes(content)
    write(make_report([folder], last=2, best=True), folder)


@reads(damaged(TABLE), 'Benchmark')
def table_csv(content, folder):
    """A table that was entered by hand."""
    (folder / 'table.csv').write_bytes(content)
    write(report_of_table(folder / 'table.csv'), folder)


def write(made, folder):
    made.console()
    for path in made.write(folder / 'out', list(FORMATS)):
        text = path.read_text(encoding='utf-8')
        assert path.suffix != '.yml' or yaml.safe_load(text)['Models']


@reads(json_file(*ENTRIES), name='import')
def check_import(content, folder):
    """Another machine's results are added to a leaderboard, or nothing is."""
    (folder / RESULTS).write_bytes(before := lines_of(ENTRIES[2]))
    save_plan(Plan.from_dict({**PLAN}), folder / 'plan.yaml')
    (folder / 'file.jsonl').write_bytes(content)
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = main(['import', str(folder), str(folder / 'file.jsonl')])
    after = (folder / RESULTS).read_bytes()
    assert after.startswith(before)
    assert status == 0 or (after == before and errors.getvalue()), 'a refused import was stored'


runs = st.tuples(json_file(CONFIG), json_file(*LINES))


@reads(runs)
def resume(value, folder):
    """A run is gone on with, or the reason names the folder or the option."""
    write_run(value, folder)
    RunFolder(folder, CONFIG, resume=True).keep_until(2)
    for line in (folder / 'metrics.jsonl').read_text().splitlines():
        assert json.loads(line)['epoch'] < 2


@reads(runs, ERRORS)
def run_folder(value, folder):
    """A run that is loaded has every figure that tables and pictures need."""
    write_run(value, folder)
    run = load_run(folder)
    assert set(run.final(2)) == set(run.tasks)
    make_report([folder], last=2)


def write_run(value, folder):
    for name, content in zip(('config.json', 'metrics.jsonl'), value):
        (folder / name).write_bytes(content)


baselines = st.tuples(st.just('baseline.json'), json_file(METRICS))
baselines |= st.tuples(st.just('metrics.jsonl'), json_file(*LINES))


@reads(baselines, needs='mmseg')
def baseline(value, folder):
    """delta_m's baseline from a JSON file, or from a run folder."""
    from go4align_plugins.mmseg.evaluation.baselines import load_baseline

    path = folder / value[0]
    path.write_bytes(value[1])
    path = path if path.suffix == '.json' else folder
    for metrics in load_baseline(path, get_benchmark('streets')).values():
        assert all(isinstance(figure, (int, float)) for figure in metrics.values())
