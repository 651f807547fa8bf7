"""Results of trainings: run folders, stores, tables and checkpoints of both hosts."""

from __future__ import annotations

import contextlib
import io
import json
import math
from dataclasses import asdict

import numpy as np
import torch
import yaml
from hypothesis import strategies as st

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import load_run
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.cli.board import make_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import FORMATS
from go4align_plugins.leaderboard.run.plan import Plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.libmtl import checkpoint
from go4align_plugins.utils.run_folder import RunFolder

from ..leaderboard.run_folders import MULTI, entry
from ..leaderboard.stores import failed, make_entry, singles
from .inputs import altered, archive, damaged, json_file, lines_of
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
    made.write(folder / 'out', list(FORMATS))
    (path,) = (folder / 'out').glob('*.yml')
    assert yaml.safe_load(path.read_text(encoding='utf-8'))['Models']


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


STATE = {
    'name': 'GO4Align',
    'task_names': ['a', 'b'],
    'state_dict': {'groups': [1, 0], 'indicator.accumulated_risk': [0.25, 0.5]},
}


def saved(mmengine=False):
    """A checkpoint after one step."""
    model, buffer = torch.nn.Linear(2, 2), io.BytesIO()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    content = {'optimizer': optimizer.state_dict(), 'epoch': 1, 'model': model.state_dict()}
    if mmengine:
        from mmengine.logging import HistoryBuffer

        history = HistoryBuffer([np.float32(2), 1.5], [1, 1])
        hub = {'log_scalars': {'train/loss': history}, 'runtime_info': {'best': np.float64(0.5)}}
        content['optimizer']['weighting'] = STATE
        content.update(meta={'iter': 2}, state_dict=content.pop('model'), message_hub=hub)
    torch.save(content, buffer)
    return buffer.getvalue()


@reads(lambda: archive(saved()), name='checkpoint', file='last.pt')
def check_checkpoint(path):
    assert 'epoch' in checkpoint.load(path)


pointed = st.deferred(lambda: archive(saved(mmengine=True)))


@reads(st.tuples(damaged(b'FOLDER/epoch_1.pth'), pointed), needs='mmengine')
def mmengine_checkpoint(value, folder):
    """Whatever the pointer says, the checkpoint there is found."""
    from go4align_plugins.mmengine.saving import LAST, find_checkpoint

    path = folder / 'epoch_1.pth'
    path.write_bytes(value[1])
    (folder / LAST).write_bytes(value[0].replace(b'FOLDER', str(folder).encode()))
    assert find_checkpoint(folder) == path


def tensors(value):
    """Lists of numbers as tensors, wherever they are."""
    if isinstance(value, dict):
        return {key: tensors(entry) for key, entry in value.items()}
    with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        return torch.tensor(value) if isinstance(value, list) else value
    return value


@reads(altered(STATE), 'checkpoint', needs='mmengine')
def mmengine_state(value, folder):
    """A wrapper goes on from a state, or says what is wrong with it."""
    from go4align_plugins.mmengine import GO4AlignOptimWrapper

    wrapper = GO4AlignOptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.ones(()))], lr=0.1))
    wrapper.load_state_dict({**wrapper.state_dict(), 'weighting': tensors(value)})
    if wrapper.weighting is not None:
        weights = wrapper.weighting(torch.ones(len(wrapper.task_names)))
        assert all(map(math.isfinite, weights.tolist()))
