"""Options of GO4Align and AGRM in LibMTL, as GO4Align's own signature has them.

An option is called by its strategy's prefix and GO4Align's parameter, on the command line and in
``weight_args`` alike: ``GO4Align_step_size``, ``AGRM_num_groups``.
"""

from __future__ import annotations

import argparse
from inspect import signature

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
