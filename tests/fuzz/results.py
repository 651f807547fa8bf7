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
runs = st.tuples(json_file(CONFIG), json_file(*LINES))


@reads(json_file(*ENTRIES), file=RESULTS)
def store(path):
    """Lines that are no entries are passed over; what is kept can be added and joined."""
    kept, other = Store(path).entries(), Store(path.with_name('other.jsonl'))
    added, differing = other.join(kept.values())
    assert (len(added), differing) == (len(kept), [])
    assert list(other.entries()) == list(kept)
    Store(path).append(make_entry('UW'))
    assert {*kept, make_entry('UW').cell} == set(Store(path).entries())


@reads(json_file(*ENTRIES), 'Runs |runs in one table|should hold a finished', file=RESULTS)
def report(path):
    write(make_report([path.parent], last=2, best=True), path.parent)


@reads(damaged(TABLE), 'Benchmark', file='table.csv')
def table_csv(path):
    write(report_of_table(path), path.parent)


def write(made, folder):
    made.console()
    for path in made.write(folder / 'out', list(FORMATS)):
        text = path.read_text(encoding='utf-8')
        assert path.suffix != '.yml' or yaml.safe_load(text)['Models']


@reads(json_file(*ENTRIES), name='import', file='file.jsonl')
def check_import(path):
    """Another machine's results are added to a leaderboard, or nothing is."""
    stored, errors = path.with_name(RESULTS), io.StringIO()
    stored.write_bytes(before := lines_of(ENTRIES[2]))
    save_plan(Plan.from_dict(dict(PLAN)), path.with_name('plan.yaml'))
    with contextlib.redirect_stderr(errors):
        status = main(['import', str(path.parent), str(path)])
    after = stored.read_bytes()
    assert after.startswith(before)
    assert status == 0 or (after == before and errors.getvalue()), 'a refused import was stored'


def write_run(value, folder):
    for name, content in zip(('config.json', 'metrics.jsonl'), value):
        (folder / name).write_bytes(content)


@reads(runs)
def resume(value, folder):
    write_run(value, folder)
    RunFolder(folder, CONFIG, resume=True).keep_until(2)
    for line in (folder / 'metrics.jsonl').read_text().splitlines():
        assert json.loads(line)['epoch'] < 2


@reads(runs, 'Runs |runs in one table')
def run_folder(value, folder):
    """A run that is loaded has every figure that tables and pictures need."""
    write_run(value, folder)
    run = load_run(folder)
    assert set(run.final(2)) == set(run.tasks)
    make_report([folder], last=2)


@reads(json_file(METRICS), needs='mmseg', file='baseline.json')
def baseline(path):
    from go4align_plugins.mmseg.evaluation.metrics import load_baseline

    for metrics in load_baseline(path, get_benchmark('streets')).values():
        assert all(isinstance(figure, (int, float)) for figure in metrics.values())
