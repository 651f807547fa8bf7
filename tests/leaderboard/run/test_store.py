"""Results are only ever added to, and survive a half-written line and other files."""

import json
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


def test_entries_come_back_and_the_last_of_a_cell_counts(store):
    assert store.entries() == {}
    for entry in (replace(failed('EW'), cell=EW.cell), failed('UW'), EW):
        store.append(entry)
    assert len(store.path.read_bytes().splitlines()) == 3
    assert store.entries() == {EW.cell: EW, 'UW-None-0': failed('UW')}
    assert EW.finished
    assert not failed('UW').finished


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


def test_strange_lines_and_a_last_one_without_its_end_stay(store):
    store.append(EW)
    strange = b'\xff\n[1]\n{"cell": "x"}\n' + b'[' * 10**5 + b'\n\n'
    store.path.write_bytes(strange + store.path.read_bytes().rstrip())
    store.append(UW)
    with pytest.warns(UserWarning, match='passed over'):
        assert [*store.entries()] == [EW.cell, UW.cell]
    assert store.path.read_bytes().startswith(strange)


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
        ({'colour': 1}, 'colour'),
        ({'seconds': 'long'}, '`seconds` should be a int'),
        ({'config': {}}, '`benchmark` should be a str. Found None'),
        ({'config': {**EW.config, 'weighting': None}}, '`weighting` should be a str'),
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
