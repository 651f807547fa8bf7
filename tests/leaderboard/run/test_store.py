"""Results are only ever added to, and survive what half-writes, fills up or mixes them."""

import json
import resource
import signal
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from go4align_plugins.leaderboard.run.store import Store, parse_entry

from ..run_folders import scaled
from ..stores import failed, make_entry

EW = make_entry('EW')
UW = make_entry('UW', scaled(2))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / 'results.jsonl')


def test_entries_come_back(store):
    assert store.entries() == {}
    for entry in (EW, failed('UW')):
        store.append(entry)
    found = store.entries()
    assert [*found] == [EW.cell, 'UW-None-0']
    assert found[EW.cell].epochs == EW.epochs
    assert found[EW.cell].run.config == EW.config
    assert found['UW-None-0'].reason == 'out of memory'
    assert not found['UW-None-0'].finished


def test_the_last_entry_of_a_cell_counts(store):
    store.append(replace(failed('EW'), cell=EW.cell))
    store.append(EW)
    assert store.entries()[EW.cell].finished
    assert len(store.path.read_bytes().splitlines()) == 2


@given(st.integers(0, 10**6))
def test_half_written_line_is_passed_over_and_taken_out(tmp_path_factory, cut):
    store = Store(tmp_path_factory.mktemp('half') / 'results.jsonl')
    store.append(EW)
    whole = store.path.read_bytes()
    line = json.dumps(asdict(UW)).encode()
    with store.path.open('ab') as file:
        file.write(line[: 1 + cut % (len(line) - 1)])
    with pytest.warns(UserWarning, match=r'line 2: passed over \(half-written\?\)'):
        assert [*store.entries()] == [EW.cell]
    store.append(UW)
    assert store.path.read_bytes() == whole + line + b'\n'


def test_an_entry_that_lacks_its_lines_end_is_kept(store):
    store.append(EW)
    store.path.write_bytes(store.path.read_bytes().rstrip())
    store.append(UW)
    assert [*store.entries()] == [EW.cell, UW.cell]


def test_strange_lines_are_passed_over_and_stay(store):
    store.append(EW)
    strange = b'\xff\n[1]\n{"cell": "x"}\n' + b'[' * 10**5 + b'\n\n'
    store.path.write_bytes(strange + store.path.read_bytes())
    store.append(UW)
    with pytest.warns(UserWarning, match='passed over'):
        assert [*store.entries()] == [EW.cell, UW.cell]
    assert store.path.read_bytes().startswith(strange)


def test_full_disk_leaves_the_store_as_it_was(store):
    store.append(EW)
    before = store.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Half of the next line has room, as on a disk that is nearly full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r'results\.jsonl'):
            store.append(UW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.path.read_bytes() == before
    store.append(UW)
    assert [*store.entries()] == [EW.cell, UW.cell]


def test_join_keeps_what_is_finished_here(store):
    for entry in (EW, failed('UW')):
        store.append(entry)
    better = replace(UW, cell='UW-None-0')
    other = replace(make_entry('EW', scaled(3)), cell=EW.cell)
    added, differing = store.join([EW, other, better, failed('UW'), failed('SI')])
    assert [entry.cell for entry in added] == ['UW-None-0', 'SI-None-0']
    assert differing == [other]
    assert store.entries()[EW.cell].epochs == EW.epochs
    assert store.join([EW, better]) == ([], [])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'status': 'great'}, '`status` should be finished or failed'),
        ({'seed': 'a'}, '`seed` should be a int'),
        ({'epochs': 3}, '`epochs` should be a list'),
        ({'epochs': []}, 'should hold every epoch from 0 on'),
        ({'config': {}}, 'Missing'),
        ({'colour': 1}, 'colour'),
        ({'log': 1.5}, '`log` should be a str'),
        ({'seconds': 'long'}, '`seconds` should be a Real'),
        ({'config': {**EW.config, 'weighting': None}}, '`weighting` should be a str'),
        ({'config': {**EW.config, 'benchmark': {}}}, '`benchmark` should be a str'),
        ({'config': {**EW.config, 'seed': []}}, '`seed` should be an int'),
        ({'config': {**EW.config, 'weight_args': [1]}}, '`weight_args` should be a dict'),
        ({'config': {**EW.config, 'num_frames': [1]}}, '`num_frames` should be a dict'),
    ],
)
def test_entries_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        parse_entry(json.dumps({**asdict(EW), **change}).encode())


def test_a_metric_of_some_epochs_alone_is_left_out():
    lines = json.loads(json.dumps(EW.epochs))
    lines[-1]['test']['metrics']['depth']['late'] = 1.0
    entry = parse_entry(json.dumps({**asdict(EW), 'epochs': lines}).encode())
    assert set(entry.run.final(2)['depth']) == {'abs_err', 'rel_err'}
