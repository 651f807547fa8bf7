"""Which of LibMTL's strategies AGRM can group, found by looking at the installed LibMTL."""

from __future__ import annotations

import argparse
from typing import Any
from unittest import mock

from go4align_plugins.libmtl.grouped import PREFIX, Grouped, GroupedSI
from go4align_plugins.libmtl.strategies import SI, AGRMWeighting

NOT_GROUPED = {
    'GO4Align': 'it is AGRM itself, with GO4Align_num_groups',
    'GradDrop': 'it drops single entries of the gradients, so a task has no weight in it',
    **dict.fromkeys(
        ('MOML', 'FORUM', 'AutoLambda'),
        'LibMTL trains it by a loop of its own, not by a weighting strategy',
    ),
}
"""Why there is no AGRM with these."""

AVERAGES = {'MoCo': 'y', 'DB_MTL': 'grad_buffer'}
"""Strategies that weight running averages of the gradients, and where LibMTL keeps those."""


def build_grouped(library: Any) -> dict[str, type[AGRMWeighting]]:
    """A class ``AGRM_<name>`` for each strategy that LibMTL offers and that can be grouped."""
    found: dict[str, type[AGRMWeighting]] = {}
    for base_name in library.weighting.__all__:
        if base_name in NOT_GROUPED or base_name.startswith(('Abs', PREFIX)):
            continue
        name = PREFIX + base_name
        base = getattr(library.weighting, base_name)
        if base is SI:
            found[name] = type(name, (GroupedSI,), {'__doc__': GroupedSI.__doc__})
            continue
        members = {
            '__doc__': f'{base_name} under AGRM; options and behaviour as of :class:`Grouped`.',
            'own_options': options_of(base_name, library.config),
            'average': AVERAGES.get(base_name),
        }
        found[name] = type(name, (Grouped, base), members)
    return found


def options_of(strategy: str, config: Any) -> tuple[str, ...] | None:
    """The names of a strategy's options, as LibMTL's command line hands them over.

    Returns:
        None where LibMTL's command line does not know the strategy.
    """
    try:
        with mock.patch.object(config, '_display'):
            return tuple(config.prepare_args(_Defaults(strategy, config))[0]['weight_args'])
    except ValueError:
        return None


class _Defaults(argparse.Namespace):
    """LibMTL's command line where nothing but the strategy is given."""

    def __init__(self, weighting: str, config: Any) -> None:
        super().__init__(weighting=weighting)
        self._parser = config.LibMTL_args

    def __getattr__(self, name: str) -> Any:
        return self._parser.get_default(name)


def refuse_ungrouped(weighting: str) -> None:
    """Say why there is no AGRM with a strategy.

    Raises:
        ValueError: if it is one of those that cannot be grouped.
    """
    base_name = weighting.removeprefix(PREFIX)
    if weighting != base_name and base_name in NOT_GROUPED:
        raise ValueError(
            f'Parameter `weighting` should be a strategy that AGRM can group. Found `{weighting}`: '
            f'{NOT_GROUPED[base_name]}.'
        )
