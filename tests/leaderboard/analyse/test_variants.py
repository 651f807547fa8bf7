import sys

import pytest

from go4align_plugins.leaderboard.analyse.variants import (
    INDICATORS,
    ablation,
    clusterings,
    group_counts,
    indicators,
)
from go4align_plugins.leaderboard.run.plan import Method

OFFERED = ['EW', 'MGDA', 'AGRM_MGDA', 'UW', 'AGRM_UW', 'CAGrad']


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
