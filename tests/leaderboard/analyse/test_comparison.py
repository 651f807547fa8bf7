import sys
from dataclasses import replace

import pytest

from go4align_plugins.leaderboard.analyse.comparison import (
    INDICATORS,
    ablation,
    clusterings,
    compare,
    draw_counts,
    draw_dots,
    group_counts,
    indicators,
)
from go4align_plugins.leaderboard.report.scores import DELTA_M, TIME
from go4align_plugins.leaderboard.run.plan import Method

from ..images import ORANGE, count
from ..run_folders import MULTI, SINGLE, STREETS
from ..stores import failed, make_entry, singles

OFFERED = ['EW', 'MGDA', 'AGRM_MGDA', 'UW', 'AGRM_UW', 'CAGrad']
VARIANTS = ablation(2, 1)
BOTH = (DELTA_M, TIME)
BASE = (*singles(), make_entry('EW'))  # EW at -2.5 % in 2 s
FULL = [*BASE]  # the first variant as single tasks in 3 s, the others as EW
for variant in VARIANTS:
    figures = SINGLE if variant is VARIANTS[0] else MULTI
    FULL += [make_entry(variant.spec, figures, seed, seconds=3.0) for seed in (0, 1)]


def specs(variants):
    return {variant.label: variant.spec for variant in variants}


def test_ablation_by_hand():
    assert specs(ablation(3, 2)) == {
        'Eq. 5': 'GO4Align:num_groups=3,smooth_alignment=false',
        'Eq. 6': 'GO4Align:num_groups=3,scale_balance=false',
        'Eq. 5 + 6': 'GO4Align:num_groups=3',
        'Eq. 5 + 4': 'GO4Align:num_groups=2,smooth_alignment=false',
        'Eq. 5 + 6 + 4': 'GO4Align:num_groups=2',
    }


def test_groups_go_from_one_to_all():
    counts = group_counts(3)
    assert [variant.row for variant in counts] == ['1', '2', '3']
    assert counts[2].spec == 'GO4Align:num_groups=3'
    assert [variant.label for variant in group_counts(40, [40, 5, 5])] == ['K = 5', 'K = 40']


def test_indicators_come_alone_and_with_agrm():
    found = indicators(OFFERED, 3, 2)
    assert list(specs(found).values()) == [
        'MGDA', 'AGRM_MGDA:num_groups=2', 'UW', 'AGRM_UW:num_groups=2',
    ]  # fmt: skip
    assert [variant.row for variant in found] == ['MGDA', 'MGDA', 'UW', 'UW']
    everything = [*INDICATORS, *(f'AGRM_{name}' for name in INDICATORS)]
    assert len(indicators(everything, 3, 2)) == 2 * len(INDICATORS)


def test_clusterings_share_the_run_of_the_default_and_leave_out_absent_ones(monkeypatch):
    monkeypatch.setitem(sys.modules, 'kmeans_pytorch', None)
    assert 'kmeans_pytorch' not in specs(clusterings(3, 2))
    assert specs(clusterings(3, 2))['exact'] == group_counts(3)[1].spec
    with pytest.raises(ImportError, match=r'go4align-plugins\[clustering\]'):
        clusterings(3, 2, ['exact', 'kmeans_pytorch'])
    pytest.importorskip('cvxpy', reason='needs the extra `clustering`')
    assert specs(clusterings(3, 2, ['sdp'])) == {'sdp': 'GO4Align:grouping=sdp,num_groups=2'}


def test_every_spec_is_a_plans():
    variants = [*group_counts(5), *ablation(5, 2), *indicators(OFFERED, 5, 4)]
    for variant in variants:
        assert Method.parse(variant.spec).spec == variant.spec


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: group_counts(3, [0]), r'between 1 and 3.*groups = 0`'),
        (lambda: group_counts(3, [4]), r'groups = 4`'),
        (lambda: ablation(3, 3), r'between 1 and 2.*num_groups = 3'),
        (lambda: clusterings(3, 0), r'num_groups = 0'),
        (lambda: clusterings(3, 2, ['nearest']), r'nearest'),
        (lambda: indicators(OFFERED, 3, 2, ['CAGrad']), r'MGDA, UW\. Found AGRM_CAGrad'),
        (lambda: indicators(['EW'], 3, 2), r'none\. Found none'),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_figures_by_hand_and_of_no_other_method():
    others = [make_entry('GO4Align', SINGLE), make_entry('UW', SINGLE)]
    comparison = compare([*FULL, *others], VARIANTS, STREETS)
    assert comparison.values('EW', DELTA_M) == [pytest.approx(-2.5)]
    assert comparison.values('Eq. 5', DELTA_M) == [0, 0]
    assert comparison.values('Eq. 6', DELTA_M) == [pytest.approx(-2.5)] * 2
    assert comparison.values('Eq. 6', TIME) == [1.5, 1.5]
    methods = [row.method for row in comparison.report.rows]
    assert methods == ['STL', 'EW', *(variant.label for variant in VARIANTS)]
    assert comparison.missing == ()


def test_failures_are_named():
    lost = VARIANTS[1]
    entries = [entry for entry in FULL if entry.method != lost.spec]
    comparison = compare([*entries, failed(lost.spec)], VARIANTS, STREETS)
    assert comparison.missing == ('Eq. 6',)
    assert 'out of memory' in comparison.report.markdown()
    assert comparison.values('Eq. 6', DELTA_M) == []
    alone = [*singles(), failed('EW'), make_entry(lost.spec)]
    assert compare(alone, [lost], STREETS).missing == ('EW',)
    with pytest.raises(ValueError, match=r'nothing to compare(.|\n)*Eq\. 6, seed 0: out of memory'):
        compare([*BASE, *(failed(variant.spec) for variant in VARIANTS)], VARIANTS, STREETS)
    baseline = replace(failed('STL', 'no data'), task='depth')
    without = [entry for entry in FULL if entry.task != 'depth']
    reason = r'no single-task run of depth(.|\n)*STL \(depth\), seed 0: no data'
    with pytest.raises(ValueError, match=reason):
        compare([*without, baseline], VARIANTS, STREETS)


def panels(path):
    return path.read_bytes().count(b'<g id="axes_')


def test_dots_of_every_variant(tmp_path):
    everything, fewer = tmp_path / 'five.png', tmp_path / 'three.png'
    draw_dots(compare(FULL, VARIANTS, STREETS), VARIANTS, everything)
    absent = [variant.spec for variant in VARIANTS[1:3]]
    entries = [entry for entry in FULL if entry.method not in absent]
    draw_dots(compare(entries, VARIANTS, STREETS), VARIANTS, fewer)
    assert 0.4 < count(fewer, ORANGE) / count(everything, ORANGE) < 0.8
    for baseline, number in (('none', 2), ('EW', 1)):  # without EW there is no relative time
        comparison = compare([e for e in FULL if e.method != baseline], VARIANTS, STREETS)
        draw_dots(comparison, VARIANTS, tmp_path / 'dots.svg', BOTH)
        assert panels(tmp_path / 'dots.svg') == number


def test_dots_of_pairs_have_two_colours(tmp_path):
    pairs = indicators(['UW', 'AGRM_UW'], 2, 1)
    entries = [*BASE, make_entry('UW'), make_entry(pairs[1].spec, {**MULTI, 'mIoU': 0.9})]
    draw_dots(compare(entries, pairs, STREETS), pairs, tmp_path / 'pairs.png')
    grey = (round(0.45 * 255),) * 3
    assert min(count(tmp_path / 'pairs.png', colour) for colour in (ORANGE, grey)) > 100


def test_counts_have_a_panel_a_metric(tmp_path):
    counts = group_counts(2)
    entries = [*BASE, *(make_entry(v.spec, seed=seed) for v in counts for seed in (0, 1))]
    for suffix, signature in (('png', b'\x89PNG'), ('pdf', b'%PDF'), ('svg', b'<?xml')):
        path = tmp_path / f'groups.{suffix}'
        draw_counts(compare(entries, counts, STREETS), counts, path)
        assert path.read_bytes().startswith(signature)
    assert panels(path) == 5  # delta_m and four metrics
