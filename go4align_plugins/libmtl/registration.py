"""Make LibMTL know the strategies of this package: by name, and on its command line."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Mapping
from typing import Any

from go4align_plugins.libmtl.compat import CAGrad, LibMTL, default_options
from go4align_plugins.libmtl.grouped import NOT_GROUPED, Grouped, refuse_ungrouped
from go4align_plugins.libmtl.strategies import DEFAULTS, GROUPED, OPTIONS, OWN, AGRMWeighting
from go4align_plugins.libmtl.trainer import TAKES_NAMES, Trainer
from go4align_plugins.weighting import GROUPINGS
from go4align_plugins.weighting.indicators import RISK_SCALES

AVERAGES = {'MoCo': 'y', 'DB_MTL': 'grad_buffer'}
"""Strategies that weight running averages of the gradients, and where LibMTL keeps those."""
DESCRIPTIONS = {
    'num_groups': 'number of groups, 1 to the number of tasks',
    'step_size': 'step size (beta) of the smooth alignment',
    'grouping': 'how to group the tasks',
    'risk_scale': 'scale balance: sum (released code) or mean (paper, Eq. 5)',
    'scale_balance': 'false takes Eq. 5 out',
    'smooth_alignment': 'false takes Eq. 6 out',
}
CHOICES = {'grouping': tuple(GROUPINGS), 'risk_scale': RISK_SCALES}


def register() -> None:
    """Add the strategies to ``LibMTL.weighting``, their options to its command line.

    Beside this package's own, each of LibMTL's that can be grouped gets an ``AGRM_<name>``.
    ``LibMTL.Trainer`` becomes :class:`~go4align_plugins.libmtl.trainer.Trainer`, a subclass that
    also runs where there is no GPU, and on today's torch; 1.1.5's CAGrad one for any number of
    tasks. Calling it again changes nothing.
    """
    if LibMTL.Trainer is Trainer:
        return
    if not TAKES_NAMES:
        LibMTL.weighting.CAGrad = CAGrad
    strategies = {**OWN, **build_grouped()}
    vars(LibMTL.weighting).update(strategies)
    LibMTL.weighting.__all__ += strategies
    add_arguments(LibMTL.config.LibMTL_args)
    LibMTL.config.prepare_args = _extend(LibMTL.config.prepare_args, strategies)
    # Not in its module: LibMTL's own code there asks for its class by that name.
    LibMTL.Trainer = Trainer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options to LibMTL's command line; a switch or number of groups may stay None."""
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


def build_grouped() -> dict[str, type[AGRMWeighting]]:
    """Build a class ``AGRM_<name>`` for each strategy that LibMTL offers and AGRM can group."""
    found: dict[str, type[AGRMWeighting]] = {}
    for name in LibMTL.weighting.__all__:
        if name in NOT_GROUPED or name.startswith('Abs'):
            continue
        strategy, options = getattr(LibMTL.weighting, name), default_options(name)
        members = {
            '__doc__': f'{name} under AGRM; options and behaviour as of :class:`Grouped`.',
            'own_options': None if options is None else tuple(options),
            'weights_losses': 'rep_grad' not in strategy.backward.__code__.co_names,
            'average': AVERAGES.get(name),
        }
        found[GROUPED + name] = type(GROUPED + name, (Grouped, strategy), members)
    return found


def _extend(original: Any, strategies: Mapping[str, type[AGRMWeighting]]) -> Any:
    """Extend LibMTL's ``prepare_args``, which knows a closed list, by this package's strategies."""

    def prepare_args(params: argparse.Namespace) -> tuple[dict, dict, dict | None]:
        name = params.weighting
        refuse_ungrouped(name)
        if name not in strategies:
            return original(params)
        known = 'EW' if name in OWN else name.removeprefix(GROUPED)
        with contextlib.redirect_stdout(io.StringIO()):  # LibMTL prints the configuration
            renamed = argparse.Namespace(**{**vars(params), 'weighting': known})
            kwargs, optim_param, scheduler_param = original(renamed)
        prefix, given = strategies[name].prefix, vars(params).items()
        own = {key: value for key, value in given if key.startswith(prefix) and value is not None}
        kwargs['weight_args'].update(own)
        LibMTL.config._display(params, kwargs, optim_param, scheduler_param)
        return kwargs, optim_param, scheduler_param

    return prepare_args
