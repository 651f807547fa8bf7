from dataclasses import replace

import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.analyse.comparison import compare, draw_counts, draw_dots
from go4align_plugins.leaderboard.analyse.variants import ablation, group_counts, indicators
from go4align_plugins.leaderboard.report.scores import DELTA_M, TIME

from ..images import ORANGE, count
from ..run_folders import MULTI, SINGLE
from ..stores import failed, make_entry, singles

STREETS = get_benchmark('streets')
VARIANTS = ablation(2, 1)
BOTH = (DELTA_M, TIME)


def full(spec_of=lambda variant: variant.spec):
    """EW at -2.5 % in 2 s; the first variant as single tasks in 3 s, the others as EW."""
    values = [SINGLE] + [MULTI] * (len(VARIANTS) - 1)
    entries = [*singles(), make_entry('EW')]
    for variant, figures in zip(VARIANTS, values):
        for seed in (0, 1):
            entries.append(make_entry(spec_of(variant), figures, seed, seconds=3.0))
    return entries


def test_figures_by_hand():
    comparison = compare(full(), VARIANTS, STREETS)
    assert comparison.values('EW', DELTA_M) == [pytest.approx(-2.5)]
    assert comparison.values('Eq. 5', DELTA_M) == [0, 0]
    assert comparison.values('Eq. 6', DELTA_M) == [pytest.approx(-2.5)] * 2
    assert comparison.values('Eq. 6', TIME) == [1.5, 1.5]
    assert [row.method for row in comparison.report.rows] == [
        'STL', 'EW', 'Eq. 5', 'Eq. 6', 'Eq. 5 + 6', 'Eq. 5 + 4', 'Eq. 5 + 6 + 4',
    ]  # fmt: skip
    assert comparison.missing == ()


def test_other_methods_of_the_leaderboard_are_left_out():
    entries = [*full(), make_entry('GO4Align', SINGLE), make_entry('UW', SINGLE)]
    found, expected = (compare(some, VARIANTS, STREETS) for some in (entries, full()))
    assert found.report.rows == expected.report.rows


def test_failures_are_named():
    entries = [entry for entry in full() if entry.method != VARIANTS[1].spec]
    comparison = compare([*entries, failed(VARIANTS[1].spec)], VARIANTS, STREETS)
    assert comparison.missing == ('Eq. 6',)
    assert 'out of memory' in comparison.report.markdown()
    assert comparison.values('Eq. 6', DELTA_M) == []


def test_without_baselines_or_without_any_variant_it_is_refused():
    with pytest.raises(ValueError, match='no single-task run of depth'):
        compare([e for e in full() if e.task != 'depth'], VARIANTS, STREETS)
    none = [*singles(), make_entry('EW'), *(failed(variant.spec) for variant in VARIANTS)]
    with pytest.raises(ValueError, match=r'nothing to compare(.|\n)*Eq\. 6, seed 0: out of memory'):
        compare(none, VARIANTS, STREETS)


def test_dots_of_every_variant(tmp_path):
    path = tmp_path / 'dots.png'
    draw_dots(compare(full(), VARIANTS, STREETS), VARIANTS, path)
    five = count(path, ORANGE)
    fewer = [e for e in full() if e.method not in (VARIANTS[1].spec, VARIANTS[2].spec)]
    draw_dots(compare(fewer, VARIANTS, STREETS), VARIANTS, tmp_path / 'two.png', BOTH)
    draw_dots(compare(fewer, VARIANTS, STREETS), VARIANTS, path)
    assert 0.4 < count(path, ORANGE) / five < 0.8  # three variants of five
    assert count(tmp_path / 'two.png', ORANGE) > 1.5 * count(path, ORANGE)


def test_dots_of_pairs_have_two_colours(tmp_path):
    pairs = indicators(['UW', 'AGRM_UW'], 2, 1)
    entries = [*singles(), make_entry('EW', SINGLE), make_entry('UW')]
    entries.append(make_entry('AGRM_UW:num_groups=1', {**MULTI, 'mIoU': 0.9}))
    draw_dots(compare(entries, pairs, STREETS), pairs, tmp_path / 'pairs.png')
    grey = (round(0.45 * 255),) * 3
    assert count(tmp_path / 'pairs.png', ORANGE) > 100
    assert count(tmp_path / 'pairs.png', grey) > 100


def panels(path):
    return path.read_bytes().count(b'<g id="axes_')


def test_a_figure_that_no_variant_has_takes_no_room(tmp_path):
    without = [entry for entry in full() if entry.method != 'EW']  # so no relative time
    for name, entries in (('both', full()), ('one', without)):
        comparison = compare(entries, VARIANTS, STREETS)
        draw_dots(comparison, VARIANTS, tmp_path / f'{name}.svg', BOTH)
    assert (panels(tmp_path / 'both.svg'), panels(tmp_path / 'one.svg')) == (2, 1)


def test_one_variant_is_enough_and_failed_baselines_are_named():
    alone = VARIANTS[:1]
    entries = [*singles(), failed('EW'), make_entry(alone[0].spec)]
    assert compare(entries, alone, STREETS).missing == ('EW',)
    baseline = replace(failed('STL', 'no data'), task='depth')
    entries = [entry for entry in full() if entry.task != 'depth']
    with pytest.raises(ValueError, match=r'STL \(depth\), seed 0: no data'):
        compare([*entries, baseline], VARIANTS, STREETS)


@pytest.mark.parametrize('suffix', ['png', 'pdf', 'svg'])
def test_counts_have_a_panel_a_metric(tmp_path, suffix):
    counts = group_counts(2)
    entries = [*singles(), make_entry('EW'), *(make_entry(v.spec) for v in counts)]
    path = tmp_path / f'groups.{suffix}'
    draw_counts(compare(entries, counts, STREETS), counts, path)
    content = path.read_bytes()
    signatures = {'png': b'\x89PNG', 'pdf': b'%PDF', 'svg': b'<?xml'}
    assert content.startswith(signatures[suffix])
    if suffix == 'svg':
        assert panels(path) == 5  # delta_m and four metrics
