"""Options of GO4Align and AGRM in LibMTL, as GO4Align's own signature has them.

An option is called by its strategy's prefix and GO4Align's parameter, on the command line and in
``weight_args`` alike: ``GO4Align_step_size``, ``AGRM_num_groups``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from go4align_plugins import GO4Align
from go4align_plugins.weighting import GROUPINGS
from go4align_plugins.weighting.indicators import RISK_SCALES

GO4ALIGN, GROUPED = 'GO4Align_', 'AGRM_'

DESCRIPTIONS = {
    'num_groups': 'number of groups, 1 to the number of tasks',
    'step_size': 'step size (beta) of the smooth alignment',
    'grouping': 'how to group the tasks',
    'risk_scale': 'scale balance: sum (released code) or mean (paper, Eq. 5)',
    'scale_balance': 'false takes Eq. 5 out',
    'smooth_alignment': 'false takes Eq. 6 out',
}
CHOICES = {'grouping': tuple(GROUPINGS), 'risk_scale': RISK_SCALES}
DEFAULTS = {
    name: parameter.default
    for name, parameter in signature(GO4Align).parameters.items()
    if name not in ('num_tasks', 'task_names')
}
OPTIONS = {GO4ALIGN: tuple(DEFAULTS), GROUPED: ('num_groups', 'grouping')}
"""The options of each prefix."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options to LibMTL's command line.

    A switch, or the number of groups, is None where it is not given: no weight argument then.
    """
    for prefix, names in OPTIONS.items():
        group = parser.add_argument_group(f'{prefix[:-1]} (go4align-plugins)')
        for name in names:
            default = DEFAULTS[name]
            switch = isinstance(default, bool)
            group.add_argument(
                f'--{prefix}{name}',
                type=true_or_false if switch else type(default),
                choices=CHOICES.get(name),
                metavar='{true,false}' if switch else None,
                default=None if switch or name == 'num_groups' else default,
                help=f'{DESCRIPTIONS[name]} (default: {str(default).lower()})',
            )


def true_or_false(text: str) -> bool:
    """Read a switch's value on the command line."""
    if text.lower() not in ('true', 'false'):
        raise argparse.ArgumentTypeError(f'should be true or false. Found `{text}`.')
    return text.lower() == 'true'


def own_prefix(weighting: str) -> str | None:
    """Find the prefix of a strategy's options; None where this package adds none to it."""
    return next((prefix for prefix in OPTIONS if f'{weighting}_'.startswith(prefix)), None)


def given_options(weighting: str, params: argparse.Namespace) -> dict[str, Any]:
    """Pick a strategy's ``weight_args`` out of the command line."""
    prefix = own_prefix(weighting)
    names = [f'{prefix}{name}' for name in OPTIONS[prefix]] if prefix else []
    return {name: value for name in names if (value := getattr(params, name)) is not None}


def read_options(
    prefix: str, weight_args: Mapping[str, Any], num_tasks: int, others: Sequence[str] | None = ()
) -> dict[str, Any]:
    """Read a prefix's options out of a strategy's ``weight_args``, by GO4Align's names.

    It may have ``others``, too; None: any that begin otherwise.
    """
    known = [prefix + name for name in OPTIONS[prefix]] + list(others or ())
    for name in weight_args:
        if name not in known and (others is not None or name.startswith(prefix)):
            raise ValueError(
                f'Parameter `weight_args` should hold {", ".join(known)}. Found `{name}`.'
            )
    options = {name: weight_args.get(prefix + name) for name in OPTIONS[prefix]}
    given = {name: value for name, value in options.items() if value is not None}
    return {'num_groups': min(DEFAULTS['num_groups'], num_tasks), **given}
