"""List the methods of the paper's comparisons, each to be trained as an ordinary leaderboard."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from go4align_plugins.weighting.groupings import GROUPINGS, get_grouping

BASELINES = ('STL', 'EW')
"""Trained in every comparison: delta_m refers to the one, relative time to the other."""
INDICATORS = ('MGDA', 'Nash_MTL', 'FAMO', 'CAGrad', 'IMTL', 'UW', 'DWA')


@dataclass(frozen=True)
class Variant:
    """One method of a comparison: its label, its spec in a plan, and its row in the picture.

    Of several variants in one row each belongs to another series.
    """

    label: str
    spec: str
    row: str
    series: str = ''


def group_counts(num_tasks: int, counts: Sequence[int] | None = None) -> list[Variant]:
    """List GO4Align with the given numbers of groups K, by default 1, ..., M; a row each.

    Raises:
        ValueError: if a count is not between 1 and M.
    """
    chosen = sorted(set(counts or range(1, num_tasks + 1)))
    wrong = [count for count in chosen if not 1 <= count <= num_tasks]
    if wrong:
        raise ValueError(
            f'Parameter `groups` should be between 1 and {num_tasks}, the number of tasks. '
            f'Found `{wrong[0]}`.'
        )
    return [_go4align(f'K = {count}', str(count), num_groups=count) for count in chosen]


def ablation(num_tasks: int, num_groups: int) -> list[Variant]:
    """List GO4Align without some of Eq. 4 (grouping), 5 (scale balance), 6 (smooth alignment).

    Without Eq. 4 there are as many groups as tasks.

    Raises:
        ValueError: if K is not between 1 and M - 1.
    """
    _check_groups(num_tasks, num_groups)
    return [
        _go4align('Eq. 5', num_groups=num_tasks, smooth_alignment='false'),
        _go4align('Eq. 6', num_groups=num_tasks, scale_balance='false'),
        _go4align('Eq. 5 + 6', num_groups=num_tasks),
        _go4align('Eq. 5 + 4', num_groups=num_groups, smooth_alignment='false'),
        _go4align('Eq. 5 + 6 + 4', num_groups=num_groups),
    ]


def indicators(
    offered: Collection[str], num_tasks: int, num_groups: int, names: Iterable[str] | None = None
) -> list[Variant]:
    """List other methods alone, and as AGRM's indicator.

    Args:
        offered: the strategies that the installed LibMTL has.
        num_tasks: M.
        num_groups: K with AGRM.
        names: the methods; None: those of :data:`INDICATORS` that are offered with AGRM too.

    Raises:
        ValueError: if a method is not offered, alone or with AGRM, or K is not between 1 and M - 1.
    """
    _check_groups(num_tasks, num_groups)
    if names is None:
        names = [name for name in INDICATORS if {name, f'AGRM_{name}'} <= set(offered)]
    chosen = list(dict.fromkeys(names))
    absent = [name for base in chosen for name in (base, f'AGRM_{base}') if name not in offered]
    if absent or not chosen:
        known = ', '.join(sorted(name for name in offered if f'AGRM_{name}' in offered)) or 'none'
        raise ValueError(
            'Parameter `indicators` should name methods that the installed LibMTL has, alone and '
            f'with AGRM: {known}. Found {absent[0] if absent else "none"}.'
        )
    variants = []
    for base in chosen:
        grouped = f'AGRM_{base}'
        variants.append(Variant(base, base, base, 'alone'))
        variants.append(Variant(grouped, f'{grouped}:num_groups={num_groups}', base, 'with AGRM'))
    return variants


def clusterings(
    num_tasks: int, num_groups: int, names: Iterable[str] | None = None
) -> list[Variant]:
    """List GO4Align with each named grouping, by default those whose packages are installed.

    Raises:
        ValueError: if there is no grouping of a name, or K is not between 1 and M - 1.
        ImportError: if a named grouping's package is not installed.
    """
    _check_groups(num_tasks, num_groups)
    if names is None:
        names = [name for name in GROUPINGS if _installed(name)]
    for name in names:
        get_grouping(name)
    return [_go4align(name, grouping=name, num_groups=num_groups) for name in dict.fromkeys(names)]


def _check_groups(num_tasks: int, num_groups: int) -> None:
    if not 1 <= num_groups < num_tasks:
        raise ValueError(
            f'Parameter `num_groups` should be between 1 and {num_tasks - 1}: with a group for '
            f'each of the {num_tasks} tasks nothing is grouped. Found `{num_groups = }`.'
        )


def _go4align(label: str, row: str = '', **arguments: str | int) -> Variant:
    """Name GO4Align with its arguments in order, so that comparisons share runs."""
    if arguments.get('grouping') == 'exact':  # the default
        del arguments['grouping']
    values = ','.join(f'{name}={arguments[name]}' for name in sorted(arguments))
    return Variant(label, f'GO4Align:{values}', row or label)


def _installed(name: str) -> bool:
    try:
        get_grouping(name)
    except ImportError:
        return False
    return True
