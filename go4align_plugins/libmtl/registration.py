"""Make LibMTL know the strategies of this package: by name, and on its command line."""

from __future__ import annotations

import argparse
from typing import Any
from unittest import mock

from go4align_plugins.libmtl import groupable, grouped, strategies
from go4align_plugins.libmtl.cagrad import CAGrad
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.strategies import SI, AGRMWeighting, GO4Align
from go4align_plugins.libmtl.trainer import TAKES_NAMES, Trainer
from go4align_plugins.weighting import GROUPINGS
from go4align_plugins.weighting.indicators import RISK_SCALES

STRATEGIES: dict[str, type[AGRMWeighting]] = {'GO4Align': GO4Align, 'SI': SI}


def true_or_false(text: str) -> bool:
    """A switch's value on the command line."""
    if text.lower() not in ('true', 'false'):
        raise argparse.ArgumentTypeError(f'should be true or false. Found `{text}`.')
    return text.lower() == 'true'


COMMAND_LINE_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    strategies.PREFIX: {
        'num_groups': {
            'type': int,
            'help': 'number of groups for GO4Align, 1 to the number of tasks (default: 2)',
        },
        'step_size': {
            'type': float,
            'default': 1e-4,
            'help': 'step size (beta) of the smooth alignment for GO4Align',
        },
        'grouping': {
            'choices': tuple(GROUPINGS),
            'default': 'exact',
            'help': 'how GO4Align groups the tasks',
        },
        'risk_scale': {
            'choices': RISK_SCALES,
            'default': 'sum',
            'help': "GO4Align's scale balance: sum (released code) or mean (paper, Eq. 5)",
        },
        'scale_balance': {
            'type': true_or_false,
            'metavar': '{true,false}',
            'help': 'false takes Eq. 5 out of GO4Align (default: true)',
        },
        'smooth_alignment': {
            'type': true_or_false,
            'metavar': '{true,false}',
            'help': 'false takes Eq. 6 out of GO4Align (default: true)',
        },
    },
    grouped.PREFIX: {
        'num_groups': {
            'type': int,
            'help': 'number of groups for AGRM_*, 1 to the number of tasks (default: 2)',
        },
        'grouping': {
            'choices': tuple(GROUPINGS),
            'default': 'exact',
            'help': 'how AGRM_* groups the tasks',
        },
    },
}
"""The options of each prefix."""


def register() -> None:
    """Add the strategies to ``LibMTL.weighting``, their options to its command line.

    Beside this package's own, each of LibMTL's that can be grouped gets an ``AGRM_<name>``.
    ``LibMTL.Trainer`` becomes :class:`~go4align_plugins.libmtl.trainer.Trainer`, a subclass that
    also runs where there is no GPU, and on today's torch; 1.1.5's CAGrad one for any number of
    tasks. Calling it again changes nothing.
    """
    library = import_libmtl()
    config = library.config
    if library.Trainer is Trainer:
        return
    if not TAKES_NAMES:
        library.weighting.CAGrad = CAGrad
    _offer(library.weighting, STRATEGIES)
    _offer(library.weighting, groupable.build_grouped(library))
    for prefix, options in COMMAND_LINE_OPTIONS.items():
        group = config.LibMTL_args.add_argument_group(f'{prefix[:-1]} (go4align-plugins)')
        for option, settings in options.items():
            group.add_argument(f'--{prefix}{option}', **settings)
    config.prepare_args = _extend(config, library.weighting)
    # Not in its module: LibMTL's own code there asks for its class by that name.
    library.Trainer = Trainer


def _offer(weighting: Any, found: dict[str, type[AGRMWeighting]]) -> None:
    for name, strategy in found.items():
        setattr(weighting, name, strategy)
        weighting.__all__.append(name)


def own_prefix(weighting: str) -> str | None:
    """What this package's options of a strategy begin with; None where there are none."""
    if weighting == 'GO4Align':
        return strategies.PREFIX
    return grouped.PREFIX if weighting.startswith(grouped.PREFIX) else None


def _extend(config: Any, weighting: Any) -> Any:
    """``prepare_args`` knows a closed list of strategies: answer for ours, ask it for the rest."""
    original = config.prepare_args

    def prepare_args(params: argparse.Namespace) -> tuple[dict, dict, dict | None]:
        """Return the configuration of hyperparameters, optimizer, and learning rate scheduler.

        Args:
            params: the command-line arguments.
        """
        groupable.refuse_ungrouped(params.weighting)
        strategy = vars(weighting).get(params.weighting)
        if not (isinstance(strategy, type) and issubclass(strategy, AGRMWeighting)):
            return original(params)
        base = params.weighting.removeprefix(grouped.PREFIX)
        known = 'EW' if base in STRATEGIES else base
        with mock.patch.object(config, '_display'):
            kwargs, optim_param, scheduler_param = original(
                argparse.Namespace(**{**vars(params), 'weighting': known})
            )
        prefix = own_prefix(params.weighting)
        for option in COMMAND_LINE_OPTIONS.get(prefix or '', ()):
            value = getattr(params, f'{prefix}{option}')
            if value is not None:
                kwargs['weight_args'][f'{prefix}{option}'] = value
        config._display(params, kwargs, optim_param, scheduler_param)
        return kwargs, optim_param, scheduler_param

    return prepare_args
