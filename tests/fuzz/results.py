"""What trainings leave behind: run folders, stores, tables."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import asdict
from pathlib import Path

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
from .target import Target
from .values import damaged, json_file, lines_of

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


def check_store(content: bytes, folder: Path) -> None:
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


def check_report(content: bytes, folder: Path) -> None:
    """A store that is read can be reported in every form, or the reason is named."""
    (folder / RESULTS).write_bytes(content)
    _write(make_report([folder], last=2, best=True), folder)


def check_table(content: bytes, folder: Path) -> None:
    """A table that was entered by hand."""
    path = folder / 'table.csv'
    path.write_bytes(content)
    _write(report_of_table(path), folder)


def _write(made: object, folder: Path) -> None:
    made.console()  # type: ignore[attr-defined]
    for path in made.write(folder / 'out', list(FORMATS)):  # type: ignore[attr-defined]
        text = path.read_text(encoding='utf-8')
        if path.suffix == '.yml':
            assert yaml.safe_load(text)['Models']


def check_import(content: bytes, folder: Path) -> None:
    """Another machine's results are added to a leaderboard, or nothing is."""
    (folder / RESULTS).write_bytes(before := lines_of(ENTRIES[2]))
    save_plan(Plan.from_dict({**PLAN}), folder / 'plan.yaml')
    (folder / 'file.jsonl').write_bytes(content)
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = main(['import', str(folder), str(folder / 'file.jsonl')])
    after = (folder / RESULTS).read_bytes()
    assert after.startswith(before)
    assert status == 0 or after == before, 'a refused import changed the store'
    assert status == 0 or errors.getvalue()


def _resume(value: tuple[bytes, bytes], folder: Path) -> None:
    for name, content in zip(('config.json', 'metrics.jsonl'), value):
        (folder / name).write_bytes(content)
    RunFolder(folder, CONFIG, resume=True).keep_until(2)


def check_resume(value: tuple[bytes, bytes], folder: Path) -> None:
    """A run is gone on with, or the reason names the folder or the option."""
    _resume(value, folder)
    for line in (folder / 'metrics.jsonl').read_text().splitlines():
        assert json.loads(line)['epoch'] < 2


def check_run_folder(value: tuple[bytes, bytes], folder: Path) -> None:
    """A run that is loaded has every figure that tables and pictures need."""
    with contextlib.suppress(ValueError):
        _resume(value, folder)
    for name, content in zip(('config.json', 'metrics.jsonl'), value):
        (folder / name).write_bytes(content)
    run = load_run(folder)
    assert set(run.final(2)) == set(run.tasks)
    make_report([folder], last=2)


def check_baseline(value: tuple[str, bytes], folder: Path) -> None:
    """delta_m's baseline from a JSON file, or from a run folder."""
    from go4align_plugins.mmseg.evaluation.delta_m import load_baseline

    path = folder / value[0]
    path.write_bytes(value[1])
    path = path if path.suffix == '.json' else folder
    for metrics in load_baseline(path, get_benchmark('streets')).values():
        assert all(isinstance(figure, (int, float)) for figure in metrics.values())


def _file(name: str, *values: object) -> st.SearchStrategy[tuple[str, bytes]]:
    return st.tuples(st.just(name), json_file(*values))


entries = json_file(*ENTRIES)
runs = st.tuples(json_file(CONFIG), json_file(*LINES))
baselines = _file('baseline.json', METRICS) | _file('metrics.jsonl', *LINES)
ERRORS = 'Parameter `|Runs |runs in one table'
TARGETS = {
    'store': Target(entries, check_store),
    'report': Target(entries, check_report, f'{ERRORS}|should hold a finished'),
    'import': Target(entries, check_import),
    'run_folder': Target(runs, check_run_folder, ERRORS),
    'resume': Target(runs, check_resume),
    'table_csv': Target(damaged(TABLE), check_table, 'Parameter `|Benchmark'),
    'baseline': Target(baselines, check_baseline, needs=('mmseg',)),
}
