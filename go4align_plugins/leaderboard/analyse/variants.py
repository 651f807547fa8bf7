"""List the methods of the paper's comparisons, each to be trained as an ordinary leaderboard."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from go4align_plugins.utils.options import check_whole
from go4align_plugins.weighting.groupings import GROUPINGS, get_grouping

BASELINES = ('STL', 'EW')
"""Trained in every comparison: delta_m refers to the one, relative time to the other."""
INDICATORS = ('MGDA', 'Nash_MTL', 'FAMO', 'CAGrad', 'IMTL', 'UW', 'DWA')


class Variant(NamedTuple):
    """One method of a comparison: its label, its spec in a plan, and its row in the picture.

    Of several variants in one row each belongs to another series.
    """

    label: str
    spec: str
    row: str
    series: str = ''


def group_counts(num_tasks: int, counts: Sequence[int] | None = None) -> list[Variant]:
    """List GO4Align with the given numbers of groups K, by default 1, ..., M; a row each."""
    chosen = sorted(set(counts or range(1, num_tasks + 1)))
    for count in chosen:
        check_whole('groups', count, 1, num_tasks, ', the number of tasks')
    return [_go4align(f'K = {count}', str(count), num_groups=count) for count in chosen]


def ablation(num_tasks: int, num_groups: int) -> list[Variant]:
    """List GO4Align without some of Eq. 4 (grouping), 5 (scale balance), 6 (smooth alignment)."""
    _check_groups(num_tasks, num_groups)
    return [  # without Eq. 4: as many groups as tasks
        _go4align('Eq. 5', num_groups=num_tasks, smooth_alignment='false'),
        _go4align('Eq. 6', num_groups=num_tasks, scale_balance='false'),
        _go4align('Eq. 5 + 6', num_groups=num_tasks),
        _go4align('Eq. 5 + 4', num_groups=num_groups, smooth_alignment='false'),
        _go4align('Eq. 5 + 6 + 4', num_groups=num_groups),
    ]


def indicators(
    offered: Collection[str], num_tasks: int, num_groups: int, names: Iterable[str] | None = None
) -> list[Variant]:
    """List other methods that LibMTL offers, alone and as AGRM's indicator; by default all known.

    Raises:
        ValueError: if a method is not offered, alone or with AGRM, or K is not between 1 and M - 1.
    """
    _check_groups(num_tasks, num_groups)
    known = [name for name in offered if f'AGRM_{name}' in offered]
    chosen = dict.fromkeys([n for n in INDICATORS if n in known] if names is None else names)
    absent = [name for base in chosen for name in (base, f'AGRM_{base}') if name not in offered]
    if absent or not chosen:
        raise ValueError(
            'Parameter `indicators` should name methods that the installed LibMTL has, alone and '
            f'with AGRM: {", ".join(sorted(known)) or "none"}. Found {", ".join(absent) or "none"}.'
        )
    variants = []
    for base in chosen:
        variants.append(Variant(base, base, base, 'alone'))
        spec = f'AGRM_{base}:num_groups={num_groups}'
        variants.append(Variant(f'AGRM_{base}', spec, base, 'with AGRM'))
    return variants


def clusterings(
    num_tasks: int, num_groups: int, names: Iterable[str] | None = None
) -> list[Variant]:
    """List GO4Align with each named grouping, by default those whose packages are installed."""
    _check_groups(num_tasks, num_groups)
    chosen, passed_over = [], (ImportError,) if names is None else ()
    for name in dict.fromkeys(GROUPINGS if names is None else names):
        with suppress(*passed_over):
            get_grouping(name)
            # The default is not named, so that comparisons share its run.
            own = {} if name == 'exact' else {'grouping': name}
            chosen.append(_go4align(name, **own, num_groups=num_groups))
    return chosen


def _check_groups(num_tasks: int, num_groups: int) -> None:
    remark = f': with a group for each of the {num_tasks} tasks nothing is grouped'
    check_whole('num_groups', num_groups, 1, num_tasks - 1, remark)


def _go4align(label: str, row: str = '', **arguments: str | int) -> Variant:
    """Name GO4Align with its arguments in order, so that comparisons share runs."""
    values = ','.join(f'{name}={arguments[name]}' for name in sorted(arguments))
    return Variant(label, f'GO4Align:{values}', row or label)
