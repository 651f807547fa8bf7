"""Make LibMTL know the strategies of this package: by name, and on its command line."""

from __future__ import annotations

import argparse
from typing import Any
from unittest import mock

from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.strategies import PREFIX, SI, GO4Align, LossWeighting
from go4align_plugins.libmtl.trainer import Trainer
from go4align_plugins.weighting import GROUPINGS
from go4align_plugins.weighting.indicators import RISK_SCALES

STRATEGIES: dict[str, type[LossWeighting]] = {'GO4Align': GO4Align, 'SI': SI}

COMMAND_LINE_OPTIONS: dict[str, dict[str, Any]] = {
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
}


def register() -> None:
    """Add the strategies to ``LibMTL.weighting``, their options to its command line.

    ``LibMTL.Trainer`` becomes :class:`~go4align_plugins.libmtl.trainer.Trainer`, a subclass that
    also runs where there is no GPU, and on today's torch. Calling it again changes nothing.
    """
    library = import_libmtl()
    config = library.config
    if library.Trainer is Trainer:
        return
    for name, strategy in STRATEGIES.items():
        setattr(library.weighting, name, strategy)
        library.weighting.__all__.append(name)
    group = config.LibMTL_args.add_argument_group('GO4Align (go4align-plugins)')
    for option, settings in COMMAND_LINE_OPTIONS.items():
        group.add_argument(f'--{PREFIX}{option}', **settings)
    config.prepare_args = _extend(config)
    # Not in its module: LibMTL's own code there asks for its class by that name.
    library.Trainer = Trainer


def _extend(config: Any) -> Any:
    """``prepare_args`` knows a closed list of strategies: answer for ours, ask it for the rest."""
    original = config.prepare_args

    def prepare_args(params: argparse.Namespace) -> tuple[dict, dict, dict | None]:
        """Return the configuration of hyperparameters, optimizer, and learning rate scheduler.

        Args:
            params: the command-line arguments.
        """
        if params.weighting not in STRATEGIES:
            return original(params)
        equal = argparse.Namespace(**{**vars(params), 'weighting': 'EW'})
        with mock.patch.object(config, '_display'):
            kwargs, optim_param, scheduler_param = original(equal)
        if params.weighting == 'GO4Align':
            chosen = {option: getattr(params, PREFIX + option) for option in COMMAND_LINE_OPTIONS}
            kwargs['weight_args'] = {
                PREFIX + option: value for option, value in chosen.items() if value is not None
            }
        config._display(params, kwargs, optim_param, scheduler_param)
        return kwargs, optim_param, scheduler_param

    return prepare_args
